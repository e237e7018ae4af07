import type { TrainedVariant } from '../domain/training.ts';
import { answerAll } from '../engine/evaluate.ts';
import { type LoadedModel, loadModel } from '../engine/inference.ts';
import { rangesOf } from '../engine/ranges.ts';
import { createEncoder } from '../features/registry.ts';
import type { Graph } from '../graph/graph.ts';
import { foldNorms } from '../graph/int8/fold-norms.ts';
import { calibratedNames, quantise } from '../graph/int8/quantise.ts';
import { encodeModel } from '../graph/onnx.ts';
import { systemClock } from '../runtime/clock.ts';
import type { PreparedTrial } from './trial.ts';

/** Training rows for calibrating the value ranges of the activations. */
const watchedRows = 256;
/** Batch size and number of runs for comparing the speed. */
const timedRows = 32;
const timedRuns = 5;
/** Minimum speed-up that justifies the errors of 8 bits. */
const minGain = 1.5;

/**
 * The trained model quantised to 8 bits, with its score on the validation rows; null if it has no convolutions or is
 * hardly quicker.
 */
export async function int8Variant(trial: PreparedTrial, graph: Graph): Promise<TrainedVariant | null> {
  const { spec, kind, features, valid } = trial;
  const { threads, data } = spec;
  const folded = foldNorms(graph);
  const names = calibratedNames(folded);
  if (names.length === 0 || !kind.votes(spec.metric)) return null;
  const rows = await createEncoder(features).prepare(data.train.inputs.slice(0, watchedRows));
  const onnx = encodeModel(quantise(folded, await rangesOf(folded, names, { rows, threads })));
  const gain = await gainOf(onnx, encodeModel(graph), trial);
  if (gain < minGain) return null;
  const answers = await answerAll(onnx, valid, threads);
  const { score } = kind.score(answers, data.valid.labels, { classes: data.classes, metric: spec.metric });
  const said = { predictions: kind.ballots(answers), kept: kind.kept(answers) };
  return { precision: 'int8', score, gain, model: { onnx, features }, ...said };
}

/** Speed-up of `quick` over `exact`, from the quickest run of each. */
async function gainOf(
  quick: Uint8Array,
  exact: Uint8Array,
  { spec: { threads }, valid }: PreparedTrial,
): Promise<number> {
  const rows = valid.batch(Int32Array.from({ length: Math.min(timedRows, valid.count) }, (_, row) => row));
  const models: LoadedModel[] = [];
  const min = [exact, quick].map(() => Number.POSITIVE_INFINITY);
  try {
    for (const onnx of [exact, quick]) models.push(await loadModel(onnx, { threads }));
    for (let run = 0; run < timedRuns; run++) {
      for (const [m, model] of models.entries()) {
        const startedMs = systemClock.nowMs();
        await model.run(rows);
        min[m] = Math.min(min[m] as number, systemClock.nowMs() - startedMs);
      }
    }
    return (min[0] as number) / (min[1] as number);
  } finally {
    for (const model of models) await model.release();
  }
}
