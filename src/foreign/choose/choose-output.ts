import type { OutputKind } from '../../domain/task.ts';
import type { ForeignTensor } from '../../engine/foreign/session.ts';
import { BadData, NotSupported } from '../../errors/errors.ts';
import { type OnnxOutline, type OnnxValue, valueTypes } from '../../graph/onnx-outline.ts';
import type { OutputKindOf, OutputPlan } from '../plan.ts';
import type { ImportSpec } from '../spec.ts';

/** The output that answers: the one that `spec` names, the only one, or of a label and probabilities the latter. */
export function chooseOutput(outline: OnnxOutline, spec: ImportSpec, output: OutputKind): OnnxValue {
  if (output === 'boxes') {
    throw new NotSupported('detectors of others cannot be imported', {
      detail: 'Their outputs have no common form: scores, boxes and their suppression differ.',
      hint: "Import one that rafiki_export has made, or train one: rafiki_train('object_detection', …).",
    });
  }
  const { outputs } = outline;
  if (spec.output !== undefined) {
    const named = outputs.find(({ name }) => name === spec.output);
    if (named !== undefined) return named;
    throw new BadData(`the ONNX file has no output "${spec.output}"`, { hint: `Its outputs: ${namesOf(outputs)}.` });
  }
  const [only] = outputs;
  if (only !== undefined && outputs.length === 1) return only;
  const isLabel = ({ type, dims }: OnnxValue): boolean =>
    (type === valueTypes.string || type === valueTypes.int64) && (dims?.length ?? 1) <= 1;
  const others = outputs.filter((value) => !isLabel(value));
  const [other] = others;
  if (output === 'label' && other?.type === valueTypes.float32 && others.length === 1 && outputs.length === 2)
    return other;
  throw new BadData('which output of the ONNX file answers cannot be told', {
    detail: `It has ${outputs.length}: ${namesOf(outputs)}.`,
    hint: 'Name it in spec: {"output": "…"}, and with "output_kind" whether it has probabilities, logits, labels or numbers.',
  });
}

const namesOf = (outputs: readonly OnnxValue[]): string =>
  outputs
    .slice(0, 10)
    .map(({ name }) => name)
    .join(', ')
    .slice(0, 400);

/** What is known of an output. */
export interface OutputClues {
  /** As `spec` says. */
  kind: OutputKindOf | undefined;
  /** Of the task. */
  output: OutputKind;
  /** Of the samples that it was run on. */
  rows: number;
  makers: OnnxOutline['makers'];
}

/** Which kind an output has: as `spec` says, or as what it answered to samples looks. Throws BadData where that does not tell it. */
export function outputPlan(tensor: ForeignTensor, name: string, clues: OutputClues): OutputPlan {
  const { kind, output, rows } = clues;
  if (output === 'number') {
    if (kind !== undefined && kind !== 'numbers') throw unlikeTask(kind, output);
    return { name, kind: 'numbers' };
  }
  if (kind === 'numbers') throw unlikeTask(kind, output);
  if (kind !== undefined) return { name, kind };
  if (tensor.type === 'string' || tensor.type === 'int64' || tensor.type === 'int32') return { name, kind: 'labels' };
  if (!areShares(tensor)) return { name, kind: 'logits' };
  if (tensor.data.length > rows) return { name, kind: addUp(tensor, rows) ? 'probabilities' : 'logits' };
  if (squashing.has(madeBy(name, clues.makers))) return { name, kind: 'probabilities' };
  throw new BadData(`whether output "${name}" of the ONNX file is a probability or a logit cannot be told`, {
    detail: 'It is one number for a row, between 0 and 1 for the samples.',
    hint: 'Say it in spec: {"output_kind": "probabilities"}, or "logits".',
  });
}

const unlikeTask = (kind: string, output: string): BadData =>
  new BadData(`a model for ${output === 'number' ? 'numbers' : 'classes'} does not answer with ${kind}`, {
    hint: 'Choose the task that fits, or another "output_kind".',
  });

/** Ops whose results are between 0 and 1, and those that change nothing of that. */
const squashing = new Set(['Sigmoid', 'HardSigmoid', 'Softmax']);
const passing = new Set(['Identity', 'Cast', 'Squeeze', 'Unsqueeze', 'Reshape', 'Flatten', 'Transpose']);
/** Of ops that pass on; a file may have a circle. */
const MAX_STEPS = 16;

function madeBy(name: string, makers: OnnxOutline['makers']): string {
  let maker = makers.get(name);
  for (let step = 0; step < MAX_STEPS && maker !== undefined && passing.has(maker.op); step++)
    maker = makers.get(maker.input);
  return maker?.op ?? '';
}

const areShares = ({ data }: ForeignTensor): boolean =>
  Array.from(data as Float32Array, Number).every((value) => value >= 0 && value <= 1 + 1e-4);

/** Whether the numbers of each row add up to 1. */
function addUp({ data }: ForeignTensor, rows: number): boolean {
  const values = Array.from(data as Float32Array, Number);
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.slice(row * width, (row + 1) * width)).every(
    (own) => Math.abs(own.reduce((sum, value) => sum + value, 0) - 1) < 1e-3,
  );
}

/** The classes: of `spec`, of the file, or as many numbers as there are outputs. */
export function chooseClasses(
  outline: OnnxOutline,
  spec: ImportSpec,
  { kind, width }: { kind: OutputKindOf; width: number },
): string[] {
  const known = spec.classes ?? outline.classes;
  const isPair = width === 1 && kind !== 'labels';
  if (known === null || known === undefined) {
    if (kind !== 'labels' && !isPair) return Array.from({ length: width }, (_, c) => String(c));
    throw new BadData('the ONNX file does not say which classes it has', {
      detail: isPair ? 'It answers with one number for a row.' : 'It answers with labels.',
      hint: isPair
        ? 'Name the two in spec, that of low numbers first: {"classes": ["no", "yes"]}.'
        : 'Name them in spec: {"classes": ["…", "…"]}.',
    });
  }
  const fits = kind === 'labels' || known.length === width || (isPair && known.length === 2);
  if (fits && new Set(known).size === known.length) return [...known];
  throw new BadData(
    fits
      ? 'two classes of the model have the same name'
      : `the model answers with ${width} numbers, and ${known.length} classes are named`,
    {
      detail: `Of ${spec.classes === undefined ? 'the file' : 'spec'}: ${known.slice(0, 10).join(', ').slice(0, 300)}.`,
      hint: 'Name all classes in spec, in the order of the outputs: {"classes": [ … ]}.',
    },
  );
}
