import type { RawInput } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures, ModelFile, TrainedModel } from '../../domain/training.ts';
import { readModel } from '../../engine/model-file.ts';
import { createSession, type GraphSession } from '../../engine/session.ts';
import { NotSupported } from '../../errors/errors.ts';
import { sampleImage } from '../../features/images.ts';
import { createEncoder } from '../../features/registry.ts';
import type { Shape } from '../../graph/graph.ts';
import type { ImportedGraph } from '../../graph/imported/emit-imported.ts';
import { probedShapes, shapesFile } from '../../graph/imported/probe.ts';
import { type OnnxGraph, readOnnx } from '../../graph/imported/read-onnx.ts';
import { neededNodes, type Trainable, trainable } from '../../graph/imported/trainable.ts';
import { upgraded } from '../../graph/imported/upgrade.ts';
import type { InputSpec } from '../../graph/network.ts';
import { isPooling, type Pooling, poolingNodes } from '../pooling.ts';

/** A pretrained encoder as a part of networks. */
export interface ImportedEncoder {
  /** Its output are vectors, [N, width]. */
  graph: ImportedGraph;
  width: number;
  trainable: Trainable;
  features: FittedFeatures;
  /** What the features are turned into, by name. */
  inputs: Readonly<Record<string, InputSpec>>;
}

/** As {@link importEncoder}, of a file on the local disk. */
export const importEncoderFile = async (file: ModelFile): Promise<ImportedEncoder> =>
  importEncoder(await readModel(file));

/** Reads the graph of an encoder. Throws {@link NotSupported} if none of its matrices of weights can be trained. */
export async function importEncoder({ onnx, features }: TrainedModel): Promise<ImportedEncoder> {
  const { pooling, output: named } = features.state;
  const read = upgraded(readOnnx(onnx));
  const answer = typeof named === 'string' ? named : (read.outputs[0] ?? '');
  const own: OnnxGraph = { ...read, nodes: neededNodes(read.nodes, answer), outputs: [answer] };
  const found = trainable(own, own.nodes, answer);
  if (!found.weights.some(({ shape }) => shape.length > 1)) throw untrainable(found);
  const answered = await probed(own, features);
  const whole = withPooling(own, shapeOf(answered, answer), isPooling(pooling) ? pooling : 'output');
  const { runs, shapes } = whole === own ? answered : await probed(whole, features);
  const [output = ''] = whole.outputs;
  const width = shapes.get(output)?.[1];
  if (typeof width !== 'number') throw new RangeError('an encoder answers with vectors of one width');
  return {
    graph: { nodes: whole.nodes, constants: whole.constants, inputs: whole.inputs, output, shapes },
    ...{ width, trainable: found, features, inputs: inputsOf(runs) },
  };
}

const MASK = 'attention_mask';

/** The graph with the nodes that make vectors of its answer. */
function withPooling(graph: OnnxGraph, shape: Shape, pooling: Pooling): OnnxGraph {
  const [name = ''] = graph.outputs;
  const mask = graph.inputs.some((input) => input.name === MASK) ? MASK : undefined;
  const { nodes, constants, vectors } = poolingNodes(pooling, { name, shape }, mask);
  if (nodes.length === 0) return graph;
  const all = new Map([...graph.constants, ...constants.map((constant) => [constant.name, constant] as const)]);
  return { ...graph, nodes: [...graph.nodes, ...nodes], constants: all, outputs: [vectors] };
}

function shapeOf({ shapes }: Probes, name: string): Shape {
  const shape = shapes.get(name);
  if (shape === undefined) throw new RangeError(`the graph has no value "${name}"`);
  return shape;
}

/** Words of the texts of some batches, which differ in all sizes; short ones, so that no encoder cuts them off to one length. */
const probes = [
  [3, 4, 2],
  [7, 4],
  [1, 2, 5, 3, 5],
] as const;

type ProbeFeeds = Readonly<Record<string, TensorData>>;

/** What the graph was fed with, and the shapes of all its values. */
interface ProbeRun {
  rows: number;
  feeds: ProbeFeeds;
  shapes: Readonly<Record<string, ArrayLike<bigint | number>>>;
}

interface Probes {
  runs: readonly ProbeRun[];
  /** Of all values that nodes compute. */
  shapes: ReadonlyMap<string, Shape>;
}

/** Runs on batches that differ in all sizes. */
async function probed(graph: OnnxGraph, features: FittedFeatures): Promise<Probes> {
  const encoder = createEncoder(features);
  const session = await createSession(shapesFile(graph), 1);
  try {
    const runs: ProbeRun[] = [];
    for (const lengths of probes) {
      const inputs = await sampleInputs(features, lengths);
      const feeds = await encoder.encode(inputs);
      const found = Object.entries(await runImported(session, feeds));
      runs.push({
        ...{ rows: inputs.length, feeds },
        shapes: Object.fromEntries(found.map(([name, { data }]) => [name, data])),
      });
    }
    return { runs, shapes: probedShapes(graph, runs) };
  } finally {
    await session.release();
  }
}

/** Runs a file that was made of a foreign graph. Throws {@link NotSupported} where that has an operator that is another one in our own files. */
export async function runImported(session: GraphSession, feeds: ProbeFeeds): Promise<Record<string, TensorData>> {
  try {
    return await session.run(feeds);
  } catch (cause) {
    throw new NotSupported('the graph of the encoder does not run as it would be trained', {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: "It can be used as it is: families => '{encoder}'.",
      cause,
    });
  }
}

async function sampleInputs({ encoder }: FittedFeatures, lengths: readonly number[]): Promise<RawInput[]> {
  if (encoder === 'pieces' || encoder === 'tokens') return lengths.map((length) => 'a '.repeat(length).trim());
  const image = await sampleImage();
  return lengths.map(() => image);
}

/** A size that differs between batches is that of their longest text. */
function inputsOf(runs: readonly ProbeRun[]): ImportedEncoder['inputs'] {
  const [first, ...others] = runs.map(({ feeds }) => feeds);
  const sizes = ({ shape }: TensorData, name: string): (number | string)[] =>
    shape.slice(1).map((size, axis) => (others.every((feeds) => feeds[name]?.shape[axis + 1] === size) ? size : 'T'));
  return Object.fromEntries(
    Object.entries(first ?? {}).map(([name, tensor]) => [name, { shape: sizes(tensor, name), dtype: tensor.dtype }]),
  );
}

const untrainable = ({ missing }: Trainable): NotSupported =>
  new NotSupported('the weights of the encoder cannot be trained further', {
    detail:
      missing.length > 0
        ? `These operators between them and its answer have no gradient here: ${missing.join(', ')}.`
        : 'It has no matrices of float32.',
    hint: "It can be used as it is: families => '{encoder}'.",
  });
