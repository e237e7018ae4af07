import type * as tfjs from '@tensorflow/tfjs-core';
import type { Attribute, Node } from '../../graph/graph.ts';

/** The library, whichever package and backend it comes from. */
export type TensorFlow = typeof tfjs;
export type Tensor = tfjs.Tensor;

/** One ONNX node with its inputs at hand: what an operator's row of the table works on. */
export class OperatorCall {
  readonly tf: TensorFlow;
  readonly #node: Node;
  readonly #inputs: readonly (Tensor | undefined)[];

  constructor(tf: TensorFlow, node: Node, inputs: readonly (Tensor | undefined)[]) {
    this.tf = tf;
    this.#node = node;
    this.#inputs = inputs;
  }

  /** The inputs that are there. */
  get inputs(): Tensor[] {
    return this.#inputs.filter((input) => input !== undefined);
  }

  input(index: number): Tensor {
    const input = this.#inputs[index];
    if (input === undefined) throw new RangeError(`${this.#node.op} lacks input ${index}`);
    return input;
  }

  optional(index: number): Tensor | undefined {
    return this.#inputs[index];
  }

  /** The numbers of an input that says where or how much, as axes and shapes do. */
  numbers(index: number): number[] {
    return Array.from(this.input(index).dataSync<'int32'>());
  }

  optionalNumbers(index: number): number[] | undefined {
    return this.#inputs[index] === undefined ? undefined : this.numbers(index);
  }

  number(name: string, otherwise: number): number {
    const value = this.#attribute(name);
    if (typeof value === 'number') return value;
    return typeof value === 'object' && 'float' in value ? value.float : otherwise;
  }

  list(name: string, otherwise: readonly number[]): readonly number[] {
    const value = this.#attribute(name);
    return Array.isArray(value) ? value : otherwise;
  }

  text(name: string, otherwise: string): string {
    const value = this.#attribute(name);
    return typeof value === 'string' ? value : otherwise;
  }

  #attribute(name: string): Attribute | undefined {
    return this.#node.attributes[name];
  }
}

/** What one ONNX operator is in TensorFlow.js: its outputs, those that nobody reads left out. */
export type Operator = (call: OperatorCall) => Tensor | readonly Tensor[];
