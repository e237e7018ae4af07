import { checkClassCount, checkLabel } from '../domain/class-limits.ts';
import { inputOf, outputOf, type RawInput, type Task } from '../domain/task.ts';
import type { FittedFeatures, KeptColumn, TrainedModel } from '../domain/training.ts';
import type { ForeignSession, ForeignTensor } from '../engine/foreign/session.ts';
import { BadData } from '../errors/errors.ts';
import type { FittedColumn } from '../features/columns/fitted-columns.ts';
import { keepRows } from '../features/columns/kept-rows.ts';
import { rowsOf } from '../features/columns/table-rows.ts';
import { sampleImage } from '../features/images.ts';
import { withoutNode } from '../graph/onnx-edit.ts';
import { type OnnxOutline, outlineOnnx } from '../graph/onnx-outline.ts';
import { type ChosenInput, chooseInput } from './choose/choose-input.ts';
import { chooseClasses, chooseOutput, outputPlan } from './choose/choose-output.ts';
import { foreignAnswers } from './foreign-answers.ts';
import { feederOf, runForeign } from './foreign-model.ts';
import type { CheckedImport } from './messages.ts';
import { checkedOutline, openChecked } from './onnx-check.ts';
import { isOwnExport, readOwnExport } from './own-export.ts';
import { type ColumnsInput, FOREIGN, type ForeignPlan, type OutputPlan } from './plan.ts';
import { tried } from './sample-run.ts';
import { type ImportSpec, readSpec } from './spec.ts';
import { checkVocabulary } from './vocabulary.ts';

/** Where exporters may leave the specification, as JSON. */
const SPEC_KEY = 'rafiki.spec';

const sampleTexts = ['A short text.', 'An idea that sounds good on paper, told with warmth and wit.', ''];

export interface FileToCheck {
  bytes: Uint8Array;
  task: Task;
  spec: Readonly<Record<string, unknown>>;
  threads: number;
}

/** Finds out how a file answers a task, by what it says, by `spec`, and by running it on samples. Throws for a file that cannot. */
export async function checkFile({ bytes, task, spec: given, threads }: FileToCheck): Promise<CheckedImport> {
  const whole = checkedOutline(bytes);
  if (isOwnExport(whole)) return tried(await readOwnExport(bytes, whole, task), task, threads);
  const { onnx, outline } = withoutMaps(bytes, whole);
  const spec = readSpec({ ...ownSpec(outline), ...given });
  const value = chooseOutput(outline, spec, outputOf(task));
  const chosen = chooseInput(outline, spec, inputOf(task));
  const session = await openChecked(onnx, threads);
  try {
    const model = { session, output: value.name };
    await checkVocabulary(chosen, (feeds) => runForeign(session, feeds, value.name));
    const samples = await samplesOf(task, chosen, spec);
    const { batch, tensor, rows } = await batchOf(model, chosen, samples);
    const clues = { kind: spec.outputKind, output: outputOf(task), rows, makers: outline.makers };
    const output = outputPlan(tensor, value.name, clues);
    const plan = { ...chosen, batch, output };
    const width = tensor.data.length / rows;
    const classes = outputOf(task) === 'number' ? [] : chooseClasses(outline, spec, { kind: output.kind, width });
    for (const label of classes) checkLabel(label);
    checkClassCount(classes);
    foreignAnswers(tensor, { kind: output.kind, classes, rows });
    return importOf(onnx, plan, { classes, samples: spec.examples === undefined ? samples.slice(0, 1) : samples });
  } finally {
    await session.release();
  }
}

/** The outputs of a graph are tensors here: maps of probabilities become the tensors that they are made of. */
function withoutMaps(bytes: Uint8Array, whole: OnnxOutline): { onnx: Uint8Array; outline: OnnxOutline } {
  const map = whole.zipMaps.find(({ output }) => whole.outputs.some(({ name }) => name === output));
  if (map === undefined) return { onnx: bytes, outline: whole };
  const onnx = withoutNode(bytes, map);
  return { onnx, outline: { ...outlineOnnx(onnx), classes: whole.classes } };
}

function ownSpec({ metadata }: OnnxOutline): Record<string, unknown> {
  const text = metadata.get(SPEC_KEY);
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // as for other JSON that is no object
  }
  throw new BadData(`the metadata "${SPEC_KEY}" of the ONNX file is no JSON object`, {
    hint: 'It has the fields that spec has, as JSON.',
  });
}

interface OpenModel {
  session: ForeignSession;
  output: string;
}

/** Its numbers are not below 0. */
const isUnsigned = ({ type }: ColumnsInput): boolean => type === 'uint8' || type === 'bool';

async function samplesOf(task: Task, { input, columns }: ChosenInput, { examples }: ImportSpec): Promise<RawInput[]> {
  switch (inputOf(task)) {
    case 'text':
      return sampleTexts;
    case 'image':
      return [await sampleImage(), await sampleImage({ width: 128, height: 192 })];
    case 'columns': {
      if (examples !== undefined) return examples.map((row) => JSON.stringify(row));
      const parts = input.kind === 'columns' ? input.inputs : [];
      const lengths = new Map(parts.flatMap((own) => own.columns).map(({ name, length }) => [name, length]));
      const unsigned = new Set(parts.filter(isUnsigned).flatMap((own) => own.columns.map(({ name }) => name)));
      const rowOf = (text: string, boolean: boolean, number: number): string => {
        const cellOf = ({ name, kind }: FittedColumn): unknown => {
          const own = unsigned.has(name) ? Math.abs(number) : number;
          if (kind === 'list') return new Array<number>(lengths.get(name) ?? 0).fill(own);
          return { text, boolean, number: own }[kind];
        };
        return JSON.stringify(Object.fromEntries(columns.map((column) => [column.name, cellOf(column)])));
      };
      return [rowOf('', false, 0), rowOf('a', true, -1)];
    }
  }
}

/** Those that the graph computes: it may refuse a text that it does not know. At least two, the first one twice if need be. */
async function computable(
  samples: readonly RawInput[],
  run: (inputs: readonly RawInput[]) => Promise<unknown>,
): Promise<RawInput[]> {
  const [first, ...others] = samples as [RawInput, ...RawInput[]];
  const usable = [first];
  for (const other of others)
    await run([other]).then(
      () => usable.push(other),
      (error: unknown) => {
        if (!(error instanceof BadData)) throw error;
      },
    );
  return usable.length > 1 ? usable : [first, first];
}

interface SampleRun {
  /** Rows of each run; null: any number. */
  batch: number | null;
  tensor: ForeignTensor;
  rows: number;
}

/** Relative to the largest number of an output: rounding is far less. */
const SAME = 1e-3;

/**
 * Runs the samples. Graphs that declare any number of rows, but take one only, or mix the rows of a batch, are run row by row from then
 * on.
 */
async function batchOf(model: OpenModel, chosen: ChosenInput, samples: readonly RawInput[]): Promise<SampleRun> {
  const feeder = feederOf({ ...chosen, output: { name: model.output, kind: 'numbers' } });
  const run = async (inputs: readonly RawInput[]): Promise<ForeignTensor> =>
    runForeign(model.session, await feeder(inputs), model.output);
  const [first] = samples as [RawInput];
  if (chosen.batch !== null) {
    const rows = new Array<RawInput>(chosen.batch).fill(first);
    return { batch: chosen.batch, tensor: await run(rows), rows: chosen.batch };
  }
  const one = await run([first]);
  const usable = await computable(samples, run);
  const all = await run(usable).catch((error: unknown) => {
    if (error instanceof BadData) return undefined;
    throw error;
  });
  const mixes = all === undefined || !startsLike(all, one, usable.length);
  return mixes ? { batch: 1, tensor: one, rows: 1 } : { batch: null, tensor: all, rows: usable.length };
}

/** Whether the first of `rows` rows has the values of the only one. */
function startsLike(all: ForeignTensor, one: ForeignTensor, rows: number): boolean {
  if (all.data.length !== rows * one.data.length) return false;
  if (one.type === 'string') return one.data.every((value, i) => value === all.data[i]);
  const values = Array.from(one.data as Float32Array, Number);
  const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
  return values.every((value, i) => Math.abs(value - Number(all.data[i])) <= SAME * most || Number.isNaN(value));
}

function importOf(
  onnx: Uint8Array,
  plan: ForeignPlan & { output: OutputPlan },
  { classes, samples }: { classes: string[]; samples: readonly RawInput[] },
): CheckedImport {
  const features: FittedFeatures = {
    encoder: FOREIGN,
    state: { ...plan },
    classes,
    ...(plan.output.kind === 'numbers' ? { target: { mean: 0, scale: 1 } } : {}),
  };
  const { columns } = plan;
  const model: TrainedModel = {
    onnx,
    features,
    ...(columns.length > 0 ? { explaining: { kind: 'rows', columns: keptSamples(samples, columns) } } : {}),
  };
  return {
    ...{ rule: 'best', classes, accuracies: null },
    columns: columns.length > 0 ? columns.map(({ name, kind }) => ({ name, kind })) : null,
    members: [{ family: 'imported', precision: 'float32', weight: 1, temperature: 1, variantOf: null, model }],
  };
}

/** Lists are kept whole: a graph may take no others. Examples have the limits of the spec, and all of it that of an import. */
const keptSamples = (samples: readonly RawInput[], columns: ForeignPlan['columns']): KeptColumn[] =>
  keepRows(rowsOf(samples, columns), Number.POSITIVE_INFINITY);
