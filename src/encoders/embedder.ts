import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { TrainedModel } from '../domain/training.ts';
import { computing } from '../engine/computing.ts';
import { createSession, type GraphSession, type NamedSession } from '../engine/session.ts';
import { CorruptParams } from '../errors/errors.ts';
import type { EncodedRows, Encoder } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';
import { isPooling, noVectors, type Pooling, poolingFile, poolingNames } from './pooling.ts';

/** Texts of a run: of similar length, so that little is padded, and few enough for the caches. */
const TEXTS_PER_RUN = 16;
/** With MobileNetV2 and 96 pixels an image took longer among four or 16 than alone: its layers fill the caches by themselves. */
const IMAGES_PER_RUN = 2;

/** Images that are decoded while as many are encoded. */
const IMAGES_AT_ONCE = 64;

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
  /** What makes vectors of answers, by their number of axes; null if they are vectors. */
  readonly #poolings = new Map<number, Promise<NamedSession | null>>();

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
    const groups = groupsOf(inputs);
    let vectors: Float32Array | null = null;
    let place = 0;
    let next = this.#prepare(groups[0] ?? []);
    for (const [i, group] of groups.entries()) {
      const rows = await next;
      next = this.#prepare(groups[i + 1] ?? []); // images are decoded while others are encoded
      const own = await this.#run(rows, group[0] instanceof Uint8Array ? IMAGES_PER_RUN : TEXTS_PER_RUN);
      vectors ??= new Float32Array((own.length / group.length) * inputs.length);
      vectors.set(own, place);
      place += own.length;
    }
    return vectors;
  }

  #prepare(inputs: readonly RawInput[]): Promise<EncodedRows> {
    const rows = Promise.resolve(this.#parts.encoder.prepare(inputs));
    rows.catch(() => undefined); // who waits for it gets the error
    return rows;
  }

  /** The vectors of prepared rows, at least one. */
  async #run(rows: EncodedRows, rowsPerRun: number): Promise<Float32Array> {
    const { session, output } = this.#parts;
    const order = Int32Array.from({ length: rows.count }, (_, row) => row).sort(
      (a, b) => rows.length(a) - rows.length(b),
    );
    let vectors = new Float32Array(0);
    for (let from = 0; from < order.length; from += rowsPerRun) {
      const part = order.subarray(from, from + rowsPerRun);
      const feeds = rows.batch(part);
      const found = await session.run(feeds);
      const answer = output === undefined ? Object.values(found)[0] : found[output];
      if (answer === undefined) throw noOutput(output);
      const own = await this.#pooled(answer, part.length, feeds['attention_mask']);
      const width = own.length / part.length;
      if (from === 0) vectors = new Float32Array(rows.count * width);
      for (const [i, row] of part.entries()) vectors.set(own.subarray(i * width, (i + 1) * width), row * width);
    }
    return vectors;
  }

  /** The vectors of a run, [rows, width]. */
  async #pooled(answer: TensorData, rows: number, mask: TensorData | undefined): Promise<Float32Array> {
    const { data, shape } = answer;
    if (!(data instanceof Float32Array) || shape[0] !== rows) throw noVectors(shape, this.#parts.pooling);
    const session = await this.#poolingOf(shape, mask !== undefined);
    if (session === null) return data;
    const { answer: given, mask: tokens, vectors } = poolingNames;
    const isRead = mask !== undefined && session.inputs.includes(tokens);
    const found = await session.run({ [given]: answer, ...(isRead ? { [tokens]: mask } : {}) });
    return found[vectors]?.data as Float32Array;
  }

  #poolingOf(shape: readonly number[], hasMask: boolean): Promise<NamedSession | null> {
    const known = this.#poolings.get(shape.length);
    if (known !== undefined) return known;
    const file = poolingFile(this.#parts.pooling, shape, hasMask);
    const session = file === null ? Promise.resolve(null) : createSession(file, 1, 'cpu', { longLived: true });
    this.#poolings.set(shape.length, session);
    return session;
  }

  async release(): Promise<void> {
    await this.#parts.session.release();
    for (const session of this.#poolings.values()) await (await session)?.release();
  }
}

/** All texts together, so that those of a run are of similar length; images of a bounded number, whose pixels are in memory. */
function groupsOf(inputs: readonly RawInput[]): (readonly RawInput[])[] {
  if (inputs.length === 0) return [];
  if (!(inputs[0] instanceof Uint8Array)) return [inputs];
  const groups: RawInput[][] = [];
  for (let from = 0; from < inputs.length; from += IMAGES_AT_ONCE)
    groups.push(inputs.slice(from, from + IMAGES_AT_ONCE));
  return groups;
}

const noOutput = (name = ''): CorruptParams =>
  new CorruptParams(`the encoder has no output ${name}`.trim(), { hint: 'Add it again.' });
