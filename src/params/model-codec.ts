import type { ParamSet } from '../domain/tensor.ts';
import type { ExplanationData, FittedFeatures, TrainedModel } from '../domain/training.ts';
import { CorruptParams } from '../errors/errors.ts';

const onnxTensor = 'model.onnx';

/** Of the tensors that explanations need. */
const explainingPrefix = 'explaining.';

/** Storage format of a trained model: the ONNX file is one tensor of bytes, the fitted features are metadata. */
export function packModel({ onnx, features, explaining }: TrainedModel): ParamSet {
  const file = { [onnxTensor]: { dtype: 'uint8' as const, shape: [onnx.length], data: onnx } };
  if (explaining === undefined) return { tensors: file, meta: { features } };
  if (explaining.kind === 'rows') return { tensors: file, meta: { features, explaining } };
  const { kind, tensors } = explaining;
  const named = Object.entries(tensors).map(([name, tensor]) => [explainingPrefix + name, tensor]);
  return { tensors: { ...file, ...Object.fromEntries(named) }, meta: { features, explaining: { kind } } };
}

export function unpackModel({ tensors, meta }: ParamSet): TrainedModel {
  const onnx = tensors[onnxTensor]?.data;
  const features = meta['features'];
  if (!(onnx instanceof Uint8Array)) throw unfit(`tensor "${onnxTensor}" is missing`);
  if (!isFeatures(features)) throw unfit('the fitted features are missing');
  const explaining = explainingOf(meta['explaining'], tensors);
  return { onnx, features, ...(explaining === undefined ? {} : { explaining }) };
}

/** Undefined for what this version does not know: the model answers, but is not explained. */
function explainingOf(value: unknown, tensors: ParamSet['tensors']): ExplanationData | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const given: { kind?: unknown; columns?: unknown } = value;
  if (given.kind === 'rows' && Array.isArray(given.columns)) return { kind: 'rows', columns: given.columns };
  const own = Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(explainingPrefix))
      .map(([name, tensor]) => [name.slice(explainingPrefix.length), tensor]),
  );
  const { weights, biases, means } = own;
  if (given.kind === 'forest') return { kind: 'forest', tensors: own };
  if (given.kind === 'sum' && weights && biases && means) return { kind: 'sum', tensors: { weights, biases, means } };
  return undefined;
}

function isFeatures(value: unknown): value is FittedFeatures {
  if (typeof value !== 'object' || value === null) return false;
  const { encoder, state, classes }: Partial<Record<keyof FittedFeatures, unknown>> = value;
  return typeof encoder === 'string' && typeof state === 'object' && state !== null && Array.isArray(classes);
}

const unfit = (detail: string): CorruptParams =>
  new CorruptParams('the stored parameters are not a model', {
    detail,
    hint: 'Train the model again, or deploy another version of it.',
  });
