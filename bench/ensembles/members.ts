import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { drawValue } from '../../src/advisors/draw.ts';
import type { LabelledRow } from '../../src/datasets/data-file.ts';
import { splitRows } from '../../src/datasets/split.ts';
import { drawWithOverrides, type Knobs, type KnobValue } from '../../src/domain/hyper-space.ts';
import { kindOf } from '../../src/domain/kinds/registry.ts';
import type { DataSet, Labels, Task } from '../../src/domain/task.ts';
import type { TensorData } from '../../src/domain/tensor.ts';

import { answerAll } from '../../src/engine/evaluate.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { familiesFor, familyByName } from '../../src/models/registry.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { trainTrial } from '../../src/training/train.ts';
import { studyTable } from '../tables/folds.ts';
import { foldsOf, type TableName, tableNames } from '../trees/tables.ts';
import { type DataName, dataSets, readAllRows } from '../zoo/data.ts';

export type EnsembleData = DataName | TableName;
export const ensembleData = [...Object.keys(tableNames), ...Object.keys(dataSets)] as EnsembleData[];

/** Share of a study's rows that its trials are scored on, if nothing else is asked for. */
const VALIDATION = 0.2;

/** What is trained on a data set, small enough to be trained for five seeds. */
interface QuickRecipe {
  /** Of the data set; default: all. */
  rows?: number;
  /** Default: all of the task. */
  families?: readonly string[];
  /** Trials of each family: the first with its initial knobs, others with random ones. */
  trials: number;
  knobs?: Record<string, KnobValue>;
}

const textRecipe: QuickRecipe = { families: ['fasttext', 'temporal_cnn', 'char_rnn'], trials: 2, knobs: { epochs: 5 } };
const boxRecipe: QuickRecipe = { families: ['yolo', 'ssd'], trials: 1, knobs: { epochs: 10 } };
const recipes: Partial<Record<EnsembleData, QuickRecipe>> = {
  ...{ mr: textRecipe, trec: textRecipe, fruit: boxRecipe, raccoon: boxRecipe },
  cifar10: { rows: 2500, families: ['resnet', 'vgg', 'xception'], trials: 1, knobs: { width: 16, epochs: 10 } },
  adult: { rows: 8000, trials: 2 },
};

/** A trial, with its answers for the rows that it was scored on and for others. */
export interface TrainedMember {
  family: string;
  knobs: Knobs;
  score: number;
  /** For ensembles, as the coordinator gets them. */
  predictions: Uint16Array | Float32Array;
  kept: Float32Array;
  classes: string[];
  test: TensorData;
}

export interface TrainedMembers {
  task: Task;
  classes: string[];
  /** Of the rows that trials were scored on, as the coordinator gets it. */
  truth: Uint16Array | Float32Array;
  testLabels: Labels;
  members: TrainedMember[];
}

/** Trials of a data set, tested on the fold of the seed; they are kept in a temporary folder, so that rules can be compared again. */
export async function trainedMembers(name: EnsembleData, seed: number): Promise<TrainedMembers> {
  const folder = path.join(tmpdir(), 'rafiki-bench-ensembles');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}-${seed}.v8`);
  if (existsSync(file)) return deserialize(readFileSync(file)) as TrainedMembers;
  const trained = await train(name, seed);
  writeFileSync(file, serialize(trained));
  return trained;
}

async function train(name: EnsembleData, seed: number): Promise<TrainedMembers> {
  const { task, rows } = rowsOf(name);
  const folds = foldsOf(rows.length, 1);
  const data = splitRows(
    rows.filter((_, i) => folds[i] !== seed - 1),
    { task, validation: VALIDATION },
  );
  const test = rows.filter((_, i) => folds[i] === seed - 1);
  const kind = kindOf(task);
  const members: TrainedMember[] = [];
  const { families = familiesFor(task).map((family) => family.name), trials } = recipes[name] ?? { trials: 2 };
  for (const family of families)
    for (let trial = 0; trial < trials; trial++) {
      const knobs = knobsOf(name, { task, family, seed: trial === 0 ? null : 100 * seed + trial });
      members.push(await memberOf({ task, family, knobs, seed, data, test }));
    }
  return {
    ...{ task, classes: data.classes, truth: kind.truth(data.valid.labels), members },
    testLabels: kind.indexed(
      test.map(({ label }) => label),
      (label) => data.classes.indexOf(label),
    ),
  };
}

function rowsOf(name: EnsembleData): { task: Task; rows: readonly LabelledRow[] } {
  const read: { task: Task; rows: readonly LabelledRow[] } = Object.hasOwn(dataSets, name)
    ? readAllRows(name as DataName)
    : studyTable(name as TableName);
  const { task, rows } = read;
  const { rows: most = rows.length } = recipes[name] ?? {};
  const order = createRng(1).shuffle(Int32Array.from(rows, (_, row) => row));
  return { task, rows: Array.from(order.subarray(0, most), (row) => rows[row] as LabelledRow) };
}

/** Initial knobs, or random ones of the seed. */
function knobsOf(
  name: EnsembleData,
  { task, family, seed }: { task: Task; family: string; seed: number | null },
): Knobs {
  const space = familyByName(family).space(task);
  const { knobs = {} } = recipes[name] ?? {};
  const own = Object.fromEntries(
    Object.entries(knobs).filter(([knob]) => space.knobs().some((each) => each.name === knob)),
  );
  if (seed === null) return { ...space.initial(), ...own };
  const rng = createRng(seed);
  return drawWithOverrides(space, own, (_, domain) => drawValue(domain, rng));
}

interface MemberSpec {
  task: Task;
  family: string;
  knobs: Knobs;
  seed: number;
  data: DataSet;
  test: readonly LabelledRow[];
}

async function memberOf({ test, ...spec }: MemberSpec): Promise<TrainedMember> {
  const { family, knobs } = spec;
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  const { score, predictions, kept, model } = await trainTrial({ ...spec, threads: 1 }, hooks);
  const { onnx, features } = model;
  const inputs = await createEncoder(features).prepare(test.map(({ input }) => input));
  const answers = await answerAll(onnx, inputs, 1);
  return { family, knobs, score, predictions, kept, classes: features.classes, test: answers };
}
