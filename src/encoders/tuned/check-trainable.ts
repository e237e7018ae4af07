import type { RawInput } from '../../domain/task.ts';
import type { TrainedModel } from '../../domain/training.ts';
import { createSession } from '../../engine/session.ts';
import { RafikiError } from '../../errors/rafiki-error.ts';
import * as emit from '../../graph/emit.ts';
import { Graph } from '../../graph/graph.ts';
import { emitImported } from '../../graph/imported/emit-imported.ts';
import { BATCH } from '../../graph/imported/probe.ts';
import { encodeModel } from '../../graph/onnx.ts';
import { Tape } from '../../graph/tape.ts';
import { type ImportedEncoder, importEncoder } from './import-encoder.ts';
import { importedVectors } from './imported-vectors.ts';

/** Inputs, and the vectors of the encoder as it is, [inputs, width]. */
export interface KnownVectors {
  inputs: readonly RawInput[];
  vectors: Float32Array;
}

/** How far the graph that would be trained may be off, of the largest number of the vectors, or of 1. */
const TOLERANCE = 1e-3;

/**
 * Why the weights of an encoder cannot be trained further; null if they can: all gradients can be emitted and compiled, and the graph with the operators
 * of our own files answers as the file itself does.
 */
export async function obstacleOf(model: TrainedModel, { inputs, vectors }: KnownVectors): Promise<string | null> {
  try {
    const encoder = await importEncoder(model);
    await compileGradients(encoder);
    const own = await importedVectors(encoder, inputs);
    const scale = vectors.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const off = vectors.reduce((most, value, i) => Math.max(most, Math.abs(value - (own[i] ?? Number.NaN))), 0);
    if (own.length === vectors.length && off <= TOLERANCE * scale) return null; // not of NaN
    return `The graph that would be trained answers otherwise than its file: the largest difference is ${off}`;
  } catch (error) {
    if (error instanceof RafikiError) return [error.message, error.detail].filter(Boolean).join('. ');
    if (error instanceof RangeError) return `Its graph cannot be read: ${error.message}`;
    throw error;
  }
}

/** Runs none of them. Throws what emitting and compiling them throws. */
async function compileGradients({ graph, inputs, trainable }: ImportedEncoder): Promise<void> {
  const g = new Graph('check');
  const t = Tape.forTraining(g, { noise: () => g.scalar(0) });
  const given = Object.entries(inputs).map(
    ([name, { shape, dtype }]) => [name, g.input(name, [BATCH, ...shape], dtype)] as const,
  );
  const weights = trainable.weights.map(({ name, shape }) => [name, g.input(name, shape)] as const);
  const vectors = emitImported(t, graph, { inputs: new Map(given), weights: new Map(weights) });
  const sum = emit.reshape(g, emit.reduce(g, 'ReduceSum', vectors, [0, 1]), []);
  t.record(sum, [vectors], () => [emit.zerosLike(g, vectors)]);
  const gradients = t.gradients(
    sum,
    weights.map(([, weight]) => weight),
  );
  for (const [i, gradient] of gradients.entries()) g.output(gradient, `gradient ${i}`);
  const session = await createSession(encodeModel(g), 1);
  await session.release();
}
