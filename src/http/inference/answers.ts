import { InvalidParameter } from '../../errors/errors.ts';
import type { PredictedDetail, Predictions, PredictionTerms, SentInputs } from '../predict/predictions.ts';
import type { UsableModel } from '../predict/usable-models.ts';
import { inputOfQuery } from '../routes/predict.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import type { InferOutput, InferRequest, InferTensor } from './tensors.ts';

/** A tensor of an answer, or one that a model has; −1: any number. */
export interface TensorHead {
  name: string;
  datatype: string;
  shape: number[];
}

interface OutputTensor extends TensorHead {
  data: (string | number)[];
}

const datatypes: Readonly<Record<string, string>> = { number: 'FP64', boolean: 'BOOL' };

export function inputHeads({ input, features, kinds }: UsableModel): TensorHead[] {
  if (input !== 'columns') return [{ name: input, datatype: 'BYTES', shape: [-1] }];
  return (features ?? []).map((name, i) => ({ name, datatype: datatypes[kinds?.[i] ?? ''] ?? 'BYTES', shape: [-1] }));
}

export function outputHeads({ output }: UsableModel, classes: number): TensorHead[] {
  if (output === 'number') return [{ name: 'number', datatype: 'FP64', shape: [-1] }];
  if (output === 'boxes') return [{ name: 'boxes', datatype: 'BYTES', shape: [-1] }];
  return [
    { name: 'label', datatype: 'BYTES', shape: [-1] },
    { name: 'probabilities', datatype: 'FP64', shape: [-1, classes] },
  ];
}

/** The inputs as the bridge reads them. Throws InvalidParameter. */
function inputsOf(model: UsableModel, tensors: readonly InferTensor[]): SentInputs {
  const known = new Set(inputHeads(model).map(({ name }) => name));
  const strange = tensors.find(({ name }) => !known.has(name));
  if (strange !== undefined) {
    throw new InvalidParameter(
      `model "${model.name}" has no input "${strange.name.slice(0, 100)}"; it has ${[...known].slice(0, 20).join(', ')}`,
    );
  }
  const [first] = tensors as [InferTensor];
  const rows = first.shape[0] as number;
  for (const { name, shape } of tensors) {
    if (shape[0] !== rows)
      throw new InvalidParameter(`inputs "${first.name}" and "${name}" have different numbers of rows`);
    if (shape.slice(1).some((size) => size !== 1))
      throw new InvalidParameter(`input "${name}" has more than one element a row`);
  }
  if (model.input === 'columns') return rowsOf(tensors, rows);
  if (first.datatype !== 'BYTES')
    throw new InvalidParameter(`input "${first.name}" has datatype ${first.datatype}, but the model reads BYTES`);
  return first.data.map((value) => {
    if (typeof value !== 'string') throw new InvalidParameter(`input "${first.name}" has an element that is no BYTES`);
    return model.input === 'image' ? inputOfQuery(model, { b64: value }) : value;
  });
}

function rowsOf(tensors: readonly InferTensor[], rows: number): string[] {
  return Array.from({ length: rows }, (_, row) =>
    JSON.stringify(Object.fromEntries(tensors.map(({ name, data }) => [name, data[row] ?? null]))),
  );
}

export interface Inferred {
  model: UsableModel;
  version: number | null;
  outputs: OutputTensor[];
}

/** Answers an inference request; probabilities are computed only if they are asked for, or nothing is. */
export async function infer(
  predictions: Predictions,
  { role, name, request, terms }: { role: SignedIn; name: string; request: InferRequest; terms: PredictionTerms },
): Promise<Inferred> {
  const model = await predictions.model(role, name);
  const inputs = inputsOf(model, request.inputs);
  const known = outputHeads(model, -1).map((head) => head.name);
  const wanted: InferOutput[] = request.outputs ?? known.map((each) => ({ name: each, classification: 0 }));
  const strange = wanted.find((each) => !known.includes(each.name));
  if (strange !== undefined)
    throw new InvalidParameter(
      `model "${model.name}" has no output "${strange.name.slice(0, 100)}"; it has ${known.join(', ')}`,
    );
  if (model.output !== 'label' && wanted.some(({ classification }) => classification > 0))
    throw new InvalidParameter(`model "${model.name}" has no classes for the parameter classification`);
  const needsDetail = wanted.some((each) => each.name === 'probabilities' || each.classification > 0);
  if (!needsDetail) {
    const answers =
      inputs.length === 1
        ? [await predictions.predict(role, name, inputs[0] as string, terms)]
        : await predictions.predictMany(role, name, inputs, terms);
    const values = answers.map((answer) => answer ?? overdue());
    return { model, version: model.version, outputs: wanted.map((each) => answerTensor(model, each.name, values)) };
  }
  const details = (await predictions.detailMany(role, name, inputs, terms)).map((detail) => detail ?? overdue());
  const version = details[0]?.versions[0] ?? model.version;
  return { model, version, outputs: wanted.map((each) => detailTensor(each, details)) };
}

/** The answer of a call that asked for null in place of late answers: a tensor has no null. */
function overdue(): never {
  throw new InvalidParameter('an answer is overdue, and a tensor has no null: send Rafiki-On-Overdue: error');
}

function answerTensor({ output }: UsableModel, name: string, values: readonly string[]): OutputTensor {
  const shape = [values.length];
  if (output === 'number') return { name, datatype: 'FP64', shape, data: values.map(Number) };
  return { name, datatype: 'BYTES', shape, data: [...values] };
}

function detailTensor({ name, classification }: InferOutput, details: readonly PredictedDetail[]): OutputTensor {
  const rows = details.length;
  if (classification > 0) {
    const best = details.map(({ probabilities = {} }) => bestOf(probabilities, classification));
    return { name, datatype: 'BYTES', shape: [rows, best[0]?.length ?? 0], data: best.flat() };
  }
  if (name === 'label') return { name, datatype: 'BYTES', shape: [rows], data: details.map(({ label = '' }) => label) };
  const values = details.map(({ probabilities = {} }) => Object.values(probabilities));
  return { name, datatype: 'FP64', shape: [rows, values[0]?.length ?? 0], data: values.flat() };
}

/** As Triton's classification extension has them: "probability:index:label". */
function bestOf(probabilities: Readonly<Record<string, number>>, k: number): string[] {
  return Object.entries(probabilities)
    .map(([label, probability], index) => ({ label, probability, index }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, k)
    .map(({ label, probability, index }) => `${probability}:${index}:${label}`);
}
