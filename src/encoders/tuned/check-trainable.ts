import type { TrainedModel } from '../../domain/training.ts';
import { RafikiError } from '../../errors/rafiki-error.ts';
import * as emit from '../../graph/emit.ts';
import { Graph } from '../../graph/graph.ts';
import { emitImported } from '../../graph/imported/emit-imported.ts';
import { BATCH } from '../../graph/imported/probe.ts';
import { Tape } from '../../graph/tape.ts';
import { importEncoder } from './import-encoder.ts';

/** Why the weights of an encoder cannot be trained further; null if they can. Emits all gradients, and runs none. */
export async function obstacleOf(model: TrainedModel): Promise<string | null> {
  try {
    const { graph, inputs, trainable } = await importEncoder(model);
    const g = new Graph('check');
    const t = Tape.forTraining(g, { noise: () => g.scalar(0) });
    const given = Object.entries(inputs).map(
      ([name, { shape, dtype }]) => [name, g.input(name, [BATCH, ...shape], dtype)] as const,
    );
    const weights = trainable.weights.map(({ name, shape }) => [name, g.input(name, shape)] as const);
    const vectors = emitImported(t, graph, { inputs: new Map(given), weights: new Map(weights) });
    const sum = emit.reshape(g, emit.reduce(g, 'ReduceSum', vectors, [0, 1]), []);
    t.record(sum, [vectors], () => [emit.zerosLike(g, vectors)]);
    t.gradients(
      sum,
      weights.map(([, weight]) => weight),
    );
    return null;
  } catch (error) {
    if (error instanceof RafikiError) return [error.message, error.detail].filter(Boolean).join('. ');
    if (error instanceof RangeError) return `Its graph cannot be read: ${error.message}`;
    throw error;
  }
}
