import type { RawInput } from '../domain/task.ts';
import type { TrainedModel } from '../domain/training.ts';
import { type LoadedModel, loadModel } from '../engine/inference.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { Encoder } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';

/** Rows of a run: of similar length, so that little is padded, and few enough for the caches. */
const ROWS_PER_RUN = 16;

export interface EmbedderOptions {
  threads: number;
  longLived?: boolean;
}

/** A pretrained encoder in memory: it turns inputs into vectors. */
export class Embedder {
  readonly #encoder: Encoder;
  readonly #model: LoadedModel;

  private constructor(encoder: Encoder, model: LoadedModel) {
    this.#encoder = encoder;
    this.#model = model;
  }

  static async load({ onnx, features }: TrainedModel, options: EmbedderOptions): Promise<Embedder> {
    return new Embedder(createEncoder(features), await loadModel(onnx, options));
  }

  /** The vectors of all inputs, one after the other: [inputs, width]; null for no inputs. */
  async embed(inputs: readonly RawInput[]): Promise<Float32Array | null> {
    const rows = await this.#encoder.prepare(inputs);
    const order = Int32Array.from(inputs, (_, row) => row).sort((a, b) => rows.length(a) - rows.length(b));
    let vectors: Float32Array | null = null;
    for (let from = 0; from < order.length; from += ROWS_PER_RUN) {
      const part = order.subarray(from, from + ROWS_PER_RUN);
      const { data, shape } = await this.#model.run(rows.batch(part));
      const [count = 0, width = 0] = shape;
      if (!(data instanceof Float32Array) || shape.length !== 2 || count !== part.length)
        throw noVectors(shape, part.length);
      vectors ??= new Float32Array(inputs.length * width);
      for (const [i, row] of part.entries()) vectors.set(data.subarray(i * width, (i + 1) * width), row * width);
    }
    return vectors;
  }

  release(): Promise<void> {
    return this.#model.release();
  }
}

const noVectors = (shape: readonly number[], rows: number): CorruptParams =>
  new CorruptParams('the encoder does not answer with a vector for each input', {
    detail: `Its answer for ${rows} inputs has the shape [${shape.join(', ')}].`,
    hint: 'Add it again with another --pooling, or another output.',
  });
