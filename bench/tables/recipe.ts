import { ensembleCandidates } from '../../src/coordinator/ensemble.ts';
import type { LabelledRow } from '../../src/datasets/data-file.ts';
import { splitRows, validationHash } from '../../src/datasets/split.ts';
import { chooseEnsemble, MIN_ROWS } from '../../src/domain/ensembles/choose.ts';
import type { EnsembleRule, MemberWeight } from '../../src/domain/ensembles/rule.ts';
import { kindOf } from '../../src/domain/kinds/registry.ts';
import type { DataSet, Task } from '../../src/domain/task.ts';
import type { TrainedModel, TrainingResult, TrainingSpec } from '../../src/domain/training.ts';
import { answerAll } from '../../src/engine/evaluate.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { familiesFor } from '../../src/models/registry.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { refitSpec } from '../../src/training/refit.ts';
import { trainTrial } from '../../src/training/train.ts';
import { type FoldLoss, type FoldPlace, partsOf, type StudyTable } from './folds.ts';

/** Share of a study's rows that its trials are scored on, if nothing else is asked for. */
const VALIDATION = 0.2;

/** A trial of a family with the knobs that it has without tuning. */
interface Trial {
  id: number;
  family: string;
  spec: TrainingSpec;
  result: TrainingResult;
  /** Epochs after which the score was best. */
  best: number;
  score: number;
  validationHash: Buffer;
}

interface RecipeMember extends MemberWeight {
  trial: Trial;
}

interface WeightedModel extends MemberWeight {
  model: TrainedModel;
}

export interface RecipeResult extends FoldLoss {
  /** Of the ensemble, the best first. */
  families: string[];
}

/**
 * What a study does by default, without its tuning: each family of the task once, the ensemble that is best on the validation rows, its
 * members trained again on all rows.
 */
export async function recipeLoss(table: StudyTable, place: FoldPlace): Promise<RecipeResult> {
  const before = process.cpuUsage();
  const { task } = table;
  const { train, test } = partsOf(table, place);
  const data = splitRows(train, { task, validation: VALIDATION });
  const trials: Trial[] = [];
  for (const [id, { name }] of familiesFor(task).entries())
    trials.push(await trialOf({ task, family: name, knobs: {}, seed: place.fold, threads: 1, data }, id));
  const { rule, members } = ensembleOf(task, data, trials);
  const models: WeightedModel[] = [];
  for (const { trial, ...weight } of members) models.push({ ...weight, model: await refitted(trial) });
  const loss = await lossOf(task, { rule, models }, { classes: data.classes, test });
  const { user, system } = process.cpuUsage(before);
  return { loss, seconds: (user + system) / 1e6, families: members.map(({ trial }) => trial.family) };
}

async function trialOf(spec: TrainingSpec, id: number): Promise<Trial> {
  const scores: number[] = [];
  const result = await trainTrial(spec, {
    onReport: async ({ score }) => {
      scores.push(score);
      return 'continue';
    },
    onCheckpoint: async () => undefined,
  });
  const best = scores.lastIndexOf(Math.max(...scores)) + 1;
  const { score } = result;
  return { id, family: spec.family, spec, result, best, score, validationHash: validationHash(spec.data) };
}

/** As the coordinator concludes a study. */
function ensembleOf(
  task: Task,
  data: DataSet,
  trials: readonly Trial[],
): { rule: EnsembleRule; members: RecipeMember[] } {
  const ranked = ensembleCandidates(trials);
  const kind = kindOf(task);
  const kept = ranked.map(({ result }) => ({ ballots: result.predictions, kept: result.kept }));
  const panel = kind.panel(kept, kind.truth(data.valid.labels), { classes: data.classes.length });
  if (panel === undefined || panel.rows < MIN_ROWS) throw new RangeError('too few rows to fit weights to');
  const { rule, members } = chooseEnsemble(panel, {
    families: ranked.map(({ family }) => family),
    rules: kind.votes() ? ['weighted', 'vote', 'best'] : ['weighted', 'best'],
    uniform: createRng(trials[0]?.spec.seed ?? 0).uniform,
  });
  return {
    rule,
    members: members.map(({ candidate, ...weight }) => ({ ...weight, trial: ranked[candidate] as Trial })),
  };
}

/** Trained again on all rows for as many epochs as were best; as it was, if that made it worse. */
async function refitted({ spec, result, best, score }: Trial): Promise<TrainedModel> {
  const again = await trainTrial(refitSpec(spec, { continues: false, keepsFeatures: false }), {
    keepsLast: true,
    onReport: async ({ epoch }) => (epoch >= best ? 'stop' : 'continue'),
    onCheckpoint: async () => undefined,
  });
  return again.score < score ? result.model : again.model;
}

/** Of the answers that `rafiki_predict` gives. */
async function lossOf(
  task: Task,
  { rule, models }: { rule: EnsembleRule; models: readonly WeightedModel[] },
  { classes, test }: { classes: readonly string[]; test: readonly LabelledRow[] },
): Promise<number> {
  const inputs = test.map(({ input }) => input);
  const outputs: Float32Array[] = [];
  for (const { model } of models) {
    const { onnx, features } = model;
    const answers = await answerAll(onnx, await createEncoder(features).prepare(inputs), 1);
    outputs.push(answers.data as Float32Array);
  }
  const { answer } = kindOf(task).answers(classes, rule);
  const batch = { outputs, members: models, rows: test.length };
  const answers = test.map((_, row) => answer(batch, row));
  if (task === 'tabular_classification')
    return answers.filter((label, row) => label !== test[row]?.label).length / test.length;
  return Math.sqrt(answers.reduce((sum, number, row) => sum + apart(number, test[row]) ** 2, 0) / test.length);
}

const apart = (number: string, row: LabelledRow | undefined): number => Number(number) - Number(row?.label);
