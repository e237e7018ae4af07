import type { RawInput } from '../domain/task.ts';
import type { TrainedModel } from '../domain/training.ts';
import { computing } from '../engine/computing.ts';
import { createSession, type GraphSession } from '../engine/session.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { Encoder } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';
import { isPooling, type Pooling, pooled } from './pooling.ts';

/** Rows of a run: of similar length, so that little is padded, and few enough for the caches. */
const ROWS_PER_RUN = 16;

export interface EmbedderOptions {
  threads: number;
  longLived?: boolean;
}

interface EmbedderParts {
  encoder: Encoder;
  session: GraphSession;
  pooling: Pooling;
  /** The output that it reads; undefined: the first. */
  output: string | undefined;
}

/** A pretrained encoder in memory: it turns inputs into vectors. */
export class Embedder {
  readonly #parts: EmbedderParts;

  private constructor(parts: EmbedderParts) {
    this.#parts = parts;
  }

  static async load(
    { onnx, features }: TrainedModel,
    { threads, longLived = false }: EmbedderOptions,
  ): Promise<Embedder> {
    const { pooling, output } = features.state;
    const encoder = createEncoder(features);
    return new Embedder({
      encoder,
      session: await createSession(onnx, threads, computing().device, { longLived }),
      pooling: isPooling(pooling) ? pooling : 'output',
      output: typeof output === 'string' ? output : undefined,
    });
  }

  /** The vectors of all inputs, one after the other: [inputs, width]; null for no inputs. */
  async embed(inputs: readonly RawInput[]): Promise<Float32Array | null> {
    const { encoder, session, pooling, output } = this.#parts;
    const rows = await encoder.prepare(inputs);
    const order = Int32Array.from(inputs, (_, row) => row).sort((a, b) => rows.length(a) - rows.length(b));
    let vectors: Float32Array | null = null;
    for (let from = 0; from < order.length; from += ROWS_PER_RUN) {
      const part = order.subarray(from, from + ROWS_PER_RUN);
      const feeds = rows.batch(part);
      const found = await session.run(feeds);
      const answer = output === undefined ? Object.values(found)[0] : found[output];
      if (answer === undefined) throw noOutput(output);
      const own = pooled(answer, pooling, part.length, feeds['attention_mask']);
      const width = own.length / part.length;
      vectors ??= new Float32Array(inputs.length * width);
      for (const [i, row] of part.entries()) vectors.set(own.subarray(i * width, (i + 1) * width), row * width);
    }
    return vectors;
  }

  release(): Promise<void> {
    return this.#parts.session.release();
  }
}

const noOutput = (name = ''): CorruptParams =>
  new CorruptParams(`the encoder has no output ${name}`.trim(), { hint: 'Add it again.' });
