import type { TrainedModel } from '../domain/training.ts';
import { type LoadedModel, loadModel } from '../engine/inference.ts';
import type { Encoder } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';
import type { MemberOutput } from './device.ts';

/**
 * A batch is padded to its longest text, and on a CPU large batches save nothing per row: so rows alike in length go
 * through the network together, so many at a time.
 */
const SLICE_ROWS = 32;

/** An ensemble loaded on one thread: its members' encoders and sessions. */
export class Replica {
  readonly #members: { encoder: Encoder; model: LoadedModel }[];

  private constructor(members: { encoder: Encoder; model: LoadedModel }[]) {
    this.#members = members;
  }

  /** One thread per session: small text models gain nothing from a second, two sessions side by side do. */
  static async load(models: readonly TrainedModel[]): Promise<Replica> {
    const members: { encoder: Encoder; model: LoadedModel }[] = [];
    try {
      for (const { onnx, features } of models) {
        members.push({ encoder: createEncoder(features), model: await loadModel(onnx, { threads: 1 }) });
      }
    } catch (error) {
      await new Replica(members).release();
      throw error;
    }
    return new Replica(members);
  }

  async run(texts: readonly string[], members: number): Promise<MemberOutput[]> {
    const outputs: MemberOutput[] = [];
    for (const member of this.#members.slice(0, members)) {
      const run = texts.length <= SLICE_ROWS ? runOnce : runSliced;
      outputs.push(await run(member, texts));
    }
    return outputs;
  }

  async release(): Promise<void> {
    for (const { model } of this.#members) await model.release();
  }
}

async function runOnce(
  { encoder, model }: { encoder: Encoder; model: LoadedModel },
  texts: readonly string[],
): Promise<MemberOutput> {
  const { data } = await model.run(await encoder.encode(texts));
  return data instanceof Float32Array ? data : Float32Array.from(data, Number);
}

async function runSliced(
  { encoder, model }: { encoder: Encoder; model: LoadedModel },
  texts: readonly string[],
): Promise<MemberOutput> {
  const rows = await encoder.prepare(texts);
  const order = Int32Array.from(texts, (_, row) => row).sort((a, b) => rows.length(a) - rows.length(b));
  let output: MemberOutput | undefined;
  for (let from = 0; from < order.length; from += SLICE_ROWS) {
    const slice = order.subarray(from, from + SLICE_ROWS);
    const { data, shape } = await model.run(rows.batch(slice));
    const classes = shape[1] ?? 1;
    output ??= new Float32Array(texts.length * classes);
    for (let i = 0; i < slice.length; i++) {
      for (let c = 0; c < classes; c++) output[(slice[i] as number) * classes + c] = Number(data[i * classes + c]);
    }
  }
  return output ?? new Float32Array(0);
}
