import type { ParamSet } from '../domain/tensor.ts';
import type { FittedFeatures, TrainedModel } from '../domain/training.ts';
import { CorruptParams } from '../errors/errors.ts';

const onnxTensor = 'model.onnx';

/** Storage format of a trained model: the ONNX file is one tensor of bytes, the fitted features are metadata. */
export function packModel({ onnx, features }: TrainedModel): ParamSet {
  return { tensors: { [onnxTensor]: { dtype: 'uint8', shape: [onnx.length], data: onnx } }, meta: { features } };
}

export function unpackModel({ tensors, meta }: ParamSet): TrainedModel {
  const onnx = tensors[onnxTensor]?.data;
  const features = meta['features'];
  if (!(onnx instanceof Uint8Array)) throw unfit(`tensor "${onnxTensor}" is missing`);
  if (!isFeatures(features)) throw unfit('the fitted features are missing');
  return { onnx, features };
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
