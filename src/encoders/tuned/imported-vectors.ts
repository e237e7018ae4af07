import type { RawInput } from '../../domain/task.ts';
import { createSession } from '../../engine/session.ts';
import { createEncoder } from '../../features/registry.ts';
import { Graph } from '../../graph/graph.ts';
import { emitImported } from '../../graph/imported/emit-imported.ts';
import { BATCH } from '../../graph/imported/probe.ts';
import { encodeModel } from '../../graph/onnx.ts';
import { Tape } from '../../graph/tape.ts';
import { type ImportedEncoder, runImported } from './import-encoder.ts';

/** The vectors of inputs, [inputs, width], by the graph that would be trained, before any step. */
export async function importedVectors(
  { graph, inputs, features }: ImportedEncoder,
  given: readonly RawInput[],
): Promise<Float32Array> {
  const g = new Graph('vectors');
  const named = Object.entries(inputs).map(
    ([name, { shape, dtype }]) => [name, g.input(name, [BATCH, ...shape], dtype)] as const,
  );
  const vectors = emitImported(Tape.forInference(g), graph, { inputs: new Map(named), weights: new Map() });
  g.output(vectors, 'vectors');
  const session = await createSession(encodeModel(g), 1);
  try {
    const found = await runImported(session, await createEncoder(features).encode(given));
    return found['vectors']?.data as Float32Array;
  } finally {
    await session.release();
  }
}
