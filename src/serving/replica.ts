import type { TrainedModel } from '../domain/training.ts';
import { type LoadedModel, loadModel } from '../engine/inference.ts';
import type { Encoder } from '../features/encoder.ts';
import { createEncoder } from '../features/registry.ts';
import type { MemberOutput } from './device.ts';

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
    for (const { encoder, model } of this.#members.slice(0, members)) {
      const { data } = await model.run(encoder.encode(texts));
      outputs.push(data instanceof Float32Array ? data : Float32Array.from(data, Number));
    }
    return outputs;
  }

  async release(): Promise<void> {
    for (const { model } of this.#members) await model.release();
  }
}
