import type * as tfjs from '@tensorflow/tfjs-core';
import type { Attribute, Node } from '../../graph/graph.ts';

/** The library, from any of its packages, with any backend. */
export type TensorFlow = typeof tfjs;
export type Tensor = tfjs.Tensor;

/** One ONNX node with its inputs, the argument of an operator's implementation. */
export class OperatorCall {
  readonly tf: TensorFlow;
  readonly #node: Node;
  readonly #inputs: readonly (Tensor | undefined)[];

  constructor(tf: TensorFlow, node: Node, inputs: readonly (Tensor | undefined)[]) {
    this.tf = tf;
    this.#node = node;
    this.#inputs = inputs;
  }

  /** The inputs that are present. */
  get inputs(): Tensor[] {
    return this.#inputs.filter((input) => input !== undefined);
  }

  input(index: number): Tensor {
    const input = this.#inputs[index];
    if (input === undefined) throw new RangeError(`${this.#node.op} has no input ${index}`);
    return input;
  }

  optional(index: number): Tensor | undefined {
    return this.#inputs[index];
  }

  /** The values of an input with axes, shapes or the like. */
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

/** The implementation of an ONNX operator in TensorFlow.js: its outputs, without unused ones. */
export type Operator = (call: OperatorCall) => Tensor | readonly Tensor[];
