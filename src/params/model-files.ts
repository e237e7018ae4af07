import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { Packr } from 'msgpackr';
import type { ModelFile, TrainedModel } from '../domain/training.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { sizeText } from '../runtime/byte-size.ts';
import { CACHE_LIMIT_BYTES } from '../runtime/disk/cache-dir.ts';
import { DiskCache } from '../runtime/disk/disk-cache.ts';
import { sha256InTurns } from '../runtime/sha256.ts';
import { unpackModel } from './model-codec.ts';
import type { ParamStore } from './param-store.ts';

/** Typed arrays stay what they are. */
const packr = new Packr({ moreTypes: true });

/** Models whose file names are remembered; others are fetched again. */
const MAX_KNOWN = 10_000;

/** Trained models as files, so that a thread can load one without the database and without blocking the event loop. */
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

  /** Where the files are. */
  get dir(): string {
    return this.#dir;
  }

  /** Resolves with the file of a stored model when it is on disk. */
  async fetch(paramsId: number): Promise<ModelFile> {
    const known = this.#known.get(paramsId);
    if (known !== undefined && this.#disk.has(known.name)) return known;
    const { bytes, parts } = packed(unpackModel(await this.#params.load(paramsId)));
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (size > this.#disk.maxBytes) {
      throw new EnvironmentUnfit('a model is too large for the model cache', {
        detail: `It has ${sizeText(size)}; the maximum is ${sizeText(this.#disk.maxBytes)}.`,
        hint: "Raise the server's RAFIKI_CACHE_LIMIT: a model may have half of it.",
      });
    }
    const file = { dir: this.#dir, name: (await sha256InTurns(parts)).toString('hex'), bytes };
    await this.#disk.set(file.name, parts).catch((cause: unknown) => {
      if (cause instanceof EnvironmentUnfit) throw cause;
      throw new EnvironmentUnfit('a model cannot be written to the local disk', {
        detail: String(cause),
        hint: `Free space in ${this.#dir}, or set another folder with RAFIKI_CACHE_DIR.`,
        cause,
      });
    });
    this.#known.set(paramsId, file);
    return file;
  }
}

/** MessagePack's array of three, and its bytes whose length has four. */
const ARRAY_OF_3 = 0x93;
const BYTES = 0xc6;

/**
 * A file as src/engine/model-file.ts reads it: [features, onnx, explaining] in MessagePack, in parts, so that what may have hundreds of megabytes
 * is not copied. `bytes`: without what only explanations need.
 */
function packed({ onnx, features, explaining }: TrainedModel): { bytes: number; parts: Uint8Array[] } {
  const head = packr.pack([features]);
  head[0] = ARRAY_OF_3;
  const length = Buffer.alloc(5);
  length[0] = BYTES;
  length.writeUInt32BE(onnx.length, 1);
  return { bytes: head.length + length.length + onnx.length, parts: [head, length, onnx, packr.pack(explaining)] };
}
