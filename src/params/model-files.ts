import { createHash } from 'node:crypto';
import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { Packr } from 'msgpackr';
import type { ModelFile } from '../domain/training.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { sizeText } from '../runtime/byte-size.ts';
import { CACHE_LIMIT_BYTES } from '../runtime/disk/cache-dir.ts';
import { DiskCache } from '../runtime/disk/disk-cache.ts';
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
    const { onnx, features, explaining } = unpackModel(await this.#params.load(paramsId));
    const data = packr.pack([features, onnx, explaining]);
    const bytes = data.length - packr.pack(explaining).length;
    const file = { dir: this.#dir, name: sha256(data), bytes };
    if (data.length > this.#disk.maxBytes) {
      throw new EnvironmentUnfit('a model is too large for the model cache', {
        detail: `It has ${sizeText(data.length)}; the maximum is ${sizeText(this.#disk.maxBytes)}.`,
        hint: "Raise the server's RAFIKI_CACHE_LIMIT: a model may have half of it.",
      });
    }
    await this.#disk.set(file.name, data).catch((cause: unknown) => {
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

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
