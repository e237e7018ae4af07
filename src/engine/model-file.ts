import { createHash } from 'node:crypto';
import { unpack } from 'msgpackr';
import type { FittedFeatures, ModelFile, TrainedModel } from '../domain/training.ts';
import { CorruptParams } from '../errors/errors.ts';
import { DiskCache } from '../runtime/disk-cache.ts';

/** Reads a model's file. A damaged file is deleted, so that the next fetch replaces it. */
export async function readModel({ dir, name }: Pick<ModelFile, 'dir' | 'name'>): Promise<TrainedModel> {
  const disk = new DiskCache({ dir, maxBytes: 0 }); // read only
  const data = await disk.get(name);
  if (data === undefined || createHash('sha256').update(data).digest('hex') !== name) {
    await disk.delete(name);
    throw new CorruptParams('the local copy of a model is damaged', {
      hint: 'Repeat the call: the model is fetched again.',
    });
  }
  const [features, onnx] = unpack(data) as [FittedFeatures, Uint8Array];
  return { onnx, features };
}
