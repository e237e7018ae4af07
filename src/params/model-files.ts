import { createHash } from 'node:crypto';
import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { pack, unpack } from 'msgpackr';
import type { FittedFeatures, TrainedModel } from '../domain/training.ts';
import { CorruptParams, EnvironmentUnfit } from '../errors/errors.ts';
import { sizeText } from '../runtime/byte-size.ts';
import { CACHE_LIMIT_BYTES } from '../runtime/cache-dir.ts';
import { DiskCache } from './disk-cache.ts';
import { unpackModel } from './model-codec.ts';
import type { ParamStore } from './param-store.ts';

/** A trained model on this machine's disk; its name is the hash of its bytes. */
export interface ModelFile {
  dir: string;
  name: string;
  bytes: number;
}

/** Models whose files are known by name: others are fetched anew. */
const MAX_KNOWN = 10_000;

/**
 * Trained models as files, so that a thread loads one without a word to the database, and without the event loop that
 * answers meanwhile.
 */
export class ModelFiles {
  readonly #params: ParamStore;
  readonly #dir: string;
  readonly #disk: DiskCache;
  readonly #known = new LRUCache<number, ModelFile>({ max: MAX_KNOWN });

  constructor(params: ParamStore, cacheDir: string, cacheLimitBytes = CACHE_LIMIT_BYTES) {
    this.#params = params;
    this.#dir = path.join(cacheDir, 'models');
    this.#disk = new DiskCache({ dir: this.#dir, maxBytes: cacheLimitBytes });
  }

  /** The file of a stored model; it is there when this returns. */
  async fetch(paramsId: number): Promise<ModelFile> {
    const known = this.#known.get(paramsId);
    if (known !== undefined && this.#disk.has(known.name)) return known;
    const { onnx, features } = unpackModel(await this.#params.load(paramsId));
    const data = pack([features, onnx]);
    const file = { dir: this.#dir, name: sha256(data), bytes: data.length };
    if (data.length > this.#disk.maxBytes) {
      throw new EnvironmentUnfit('a model is too large for the folder of models', {
        detail: `It has ${sizeText(data.length)}; what has more than ${sizeText(this.#disk.maxBytes)} is not kept.`,
        hint: 'Raise RAFIKI_CACHE_LIMIT where the server starts: a model may have half of it.',
      });
    }
    await this.#disk.set(file.name, data).catch((cause: unknown) => {
      if (cause instanceof EnvironmentUnfit) throw cause;
      throw new EnvironmentUnfit('a model cannot be written to this machine’s disk', {
        detail: String(cause),
        hint: `Make room in ${this.#dir}, or choose another folder with RAFIKI_CACHE_DIR.`,
        cause,
      });
    });
    this.#known.set(paramsId, file);
    return file;
  }
}

/** Reads a model where it is loaded. One that was damaged is deleted: the next fetch brings it anew. */
export async function readModel({ dir, name }: ModelFile): Promise<TrainedModel> {
  const disk = new DiskCache({ dir, maxBytes: 0 }); // nothing is written
  const data = await disk.get(name);
  if (data === undefined || sha256(data) !== name) {
    await disk.delete(name);
    throw new CorruptParams('a model is damaged on this machine’s disk', { hint: 'Ask again: it is fetched anew.' });
  }
  const [features, onnx] = unpack(data) as [FittedFeatures, Uint8Array];
  return { onnx, features };
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
