import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import type { ExplanationData, FittedFeatures, ModelFile, TrainedModel } from '../domain/training.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { DiskCache } from '../runtime/disk/disk-cache.ts';

/** Typed arrays stay what they are. */
const packr = new Packr({ moreTypes: true });

/** The bytes of a model's file. A damaged one is this machine's fault, not the model's; it is deleted, so that the next fetch replaces it. */
export async function checkedModelBytes({ dir, name }: Pick<ModelFile, 'dir' | 'name'>): Promise<Buffer> {
  const disk = new DiskCache({ dir, maxBytes: 0 }); // read only
  const data = await disk.get(name);
  if (data === undefined || createHash('sha256').update(data).digest('hex') !== name) {
    await disk.delete(name);
    throw new EnvironmentUnfit('the local copy of a model is damaged', {
      hint: 'Repeat the call: the model is fetched again.',
    });
  }
  return data;
}

/** Reads a model's file. Throws as {@link checkedModelBytes}. */
export async function readModel(file: Pick<ModelFile, 'dir' | 'name'>): Promise<TrainedModel> {
  const data = await checkedModelBytes(file);
  const [features, onnx, explaining] = packr.unpack(data) as [FittedFeatures, Uint8Array, ExplanationData | undefined];
  return { onnx, features, ...(explaining === undefined ? {} : { explaining }) };
}
