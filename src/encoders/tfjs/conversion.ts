import { NotSupported } from '../../errors/errors.ts';
import { shapeAttribute, typeAttribute } from './attributes.ts';
import { fromChannelsFirst } from './images.ts';
import { malformed, type TfjsGraph, type TfjsNode, type TfjsWeight } from './model-json.ts';
import { OnnxWriter } from './onnx-writer.ts';

/** Writes the ONNX nodes of a node; returns the names of its outputs. */
export type OpConverter = (c: Conversion, node: TfjsNode) => string[];

/** Names of the inputs that are a sparse matrix of whole numbers: where they are, [n, 2], and which, [n]. */
export interface SparseInputs {
  indices: string;
  values: string;
}

/** A graph model on its way to ONNX: the ops read their inputs and write their nodes through it. */
export class Conversion {
  readonly write = new OnnxWriter();
  readonly #graph: TfjsGraph;
  /** Written values by TensorFlow's names, with the place if it is not the first output. */
  readonly #values = new Map<string, string>();

  /** Whether its values with four axes are images, whose channels come first in the file. */
  readonly isOfImages: boolean;

  constructor(graph: TfjsGraph, { isOfImages = false } = {}) {
    this.#graph = graph;
    this.isOfImages = isOfImages;
  }

  input(node: TfjsNode, place: number): string {
    const name = node.inputs[place];
    if (name === undefined) throw malformed(`node "${node.name}" (${node.op}) has no input ${place}`);
    return this.value(name);
  }

  inputs(node: TfjsNode): string[] {
    return node.inputs.map((_, place) => this.input(node, place));
  }

  /** A value by TensorFlow's name; weights are written when they are first read. */
  value(name: string): string {
    const plain = name.replace(/:0$/, '');
    const known = this.#values.get(plain);
    if (known !== undefined) return known;
    const weight = this.#graph.weights.get(plain);
    if (weight === undefined) throw malformed(`"${plain}" is neither a weight nor the output of an earlier node`);
    const written = this.write.constant(weight.data, weight.shape, weight.kind);
    this.#values.set(plain, written);
    return written;
  }

  /** An input that must be a weight, as kernels are. */
  weight(node: TfjsNode, place: number): TfjsWeight {
    const weight = this.#graph.weights.get((node.inputs[place] ?? '').replace(/:0$/, ''));
    if (weight === undefined) throw this.unsupported(node, `whose input ${place} is no constant`);
    return weight;
  }

  /** An input of whole numbers that must be constant, such as axes. */
  constant(node: TfjsNode, place: number): number[] {
    return Array.from(this.weight(node, place).data);
  }

  /** An input; an image is fed as [N, C, H, W], and may have any size. */
  placeholder(node: TfjsNode): void {
    const kind = typeAttribute(node, 'dtype');
    if (kind === 'other') throw this.unsupported(node, 'of this type');
    if (this.isOfImages) {
      const image = this.write.input(node.name, ['N', shapeAttribute(node, 'shape')[3] ?? 3, 'height', 'width'], kind);
      this.#values.set(node.name, fromChannelsFirst(this.write, image));
      return;
    }
    const shape = shapeAttribute(node, 'shape').map((size, axis) => (size < 0 ? `${node.name}_${axis}` : size));
    this.#values.set(node.name, this.write.input(node.name, shape, kind));
  }

  /** The two inputs of a sparse matrix from one, `ids` [N, T]: numbers from 1 on, padded with 0. */
  sparsePlaceholders({ indices, values }: SparseInputs): void {
    const { write } = this;
    const ids = write.input('ids', ['N', 'T'], 'int');
    const given = write.node('Greater', [ids, write.constant([0], [], 'int')], { kind: 'bool' });
    const places = write.node('Transpose', [write.node('NonZero', [given], { kind: 'int' })]);
    this.#values.set(indices, places);
    this.#values.set(
      values,
      write.node('Sub', [write.node('GatherND', [ids, places]), write.constant([1], [], 'int')]),
    );
  }

  convert(node: TfjsNode, op: OpConverter): void {
    for (const [place, value] of op(this, node).entries())
      this.#values.set(place === 0 ? node.name : `${node.name}:${place}`, value);
  }

  unsupported({ name, op }: TfjsNode, how: string): NotSupported {
    return new NotSupported(`the op ${op} ${how} cannot be converted to ONNX`, {
      detail: `It is node "${name}" of the TensorFlow.js model.`,
      hint: 'Export the model to ONNX with the tool of the library that it comes from.',
    });
  }
}
