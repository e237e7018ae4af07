import type { Attribute, Constant, Graph, Node, Value } from '../../graph.ts';

/** An operator of a foreign graph whose nodes are in the graph already. */
export interface ForeignOp {
  g: Graph;
  node: Node;
  /** `absent` where an optional one is left out. */
  inputs: readonly Value[];
  /** The one of its outputs whose gradient is asked for. */
  y: Value;
  /** Its place among the outputs. */
  place: number;
  outputs: readonly Value[];
  /** The numbers of an input that is a constant; undefined if it is computed, or left out. */
  constant(place: number): Constant | undefined;
  /** Whether kernels may run on several threads. */
  threaded: boolean;
}

/** The gradients of its inputs, from the gradient of `y`; `needs` says of which. Missing ones have none. */
export type ForeignGradient = (op: ForeignOp, dy: Value, needs: (place: number) => boolean) => (Value | null)[];

export interface GradientRule {
  gradient: ForeignGradient;
  /** The inputs through which gradients flow, by place: others are shapes, indices and conditions. All if not given. */
  through?: readonly number[];
}

export const wholeAttribute = ({ node }: Pick<ForeignOp, 'node'>, name: string, otherwise: number): number => {
  const value = node.attributes[name];
  return typeof value === 'number' ? value : otherwise;
};

export const wholesAttribute = ({ node }: ForeignOp, name: string): readonly number[] | undefined => {
  const value = node.attributes[name];
  return Array.isArray(value) ? (value as readonly number[]) : undefined;
};

export const realAttribute = ({ node }: ForeignOp, name: string, otherwise: number): number => {
  const value: Attribute | undefined = node.attributes[name];
  return typeof value === 'object' && 'float' in value ? value.float : otherwise;
};

/** The whole numbers of a constant input; undefined if it is computed, or left out. */
export function constantInts(op: ForeignOp, place: number): number[] | undefined {
  const data = op.constant(place)?.data;
  return data instanceof BigInt64Array || data instanceof Int32Array
    ? Array.from(data as ArrayLike<bigint | number>, Number)
    : undefined;
}
