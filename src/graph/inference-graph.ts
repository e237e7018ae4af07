import { Graph } from './graph.ts';
import { type Network, Values } from './network.ts';
import { encodeModel } from './onnx.ts';
import { Tape } from './tape.ts';

/** A weight to be exported. */
export interface Weight {
  shape: readonly number[];
  data: Float32Array;
}

/** A self-contained ONNX file: it contains the weights, its inputs have a batch of any size, its output is the network's answer. */
export const exportModel = (network: Network, weights: Readonly<Record<string, Weight>>): Uint8Array =>
  encodeModel(inferenceGraph(network, weights));

/** The graph of that file. */
export function inferenceGraph(network: Network, weights: Readonly<Record<string, Weight>>): Graph {
  const g = new Graph('model');
  const inputs = Object.entries(network.inputs).map(
    ([name, { shape, dtype }]) => [name, g.input(name, ['N', ...shape], dtype)] as const,
  );
  const parameters = Object.entries(weights).map(
    ([name, { shape, data }]) => [name, g.constant(data, shape, { name })] as const,
  );
  const { name, value } = network.answer(Tape.forInference(g), new Values(inputs), new Values(parameters));
  g.output(value, name);
  return g;
}
