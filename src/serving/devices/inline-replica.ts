import type { RawInput } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import { readModel } from '../../engine/model-file.ts';
import { loadQuickModel, type QuickModel } from '../../engine/quick-model.ts';
import type { Encoder } from '../../features/encoder.ts';
import { createEncoder } from '../../features/registry.ts';
import type { Subset } from '../policies/policy.ts';
import type { MemberOutput } from './device.ts';
import type { EnsembleFiles } from './replica.ts';

/** An ensemble on the event loop, which it blocks while it runs. */
export class InlineReplica {
  readonly #members: readonly { encoder: Encoder; model: QuickModel }[];

  private constructor(members: readonly { encoder: Encoder; model: QuickModel }[]) {
    this.#members = members;
  }

  /** Undefined for images, whose decoding runs on other threads, and for models on an encoder, which are not that quick. */
  static async load({ models, inputKind }: EnsembleFiles): Promise<InlineReplica | undefined> {
    if (inputKind === 'image' || models.some(({ encoder }) => encoder !== undefined)) return undefined;
    const members: { encoder: Encoder; model: QuickModel }[] = [];
    const replica = new InlineReplica(members);
    try {
      for (const file of models) {
        const { onnx, features } = await readModel(file);
        members.push({ encoder: createEncoder(features), model: loadQuickModel(onnx) });
      }
    } catch (error) {
      replica.release();
      throw error;
    }
    return replica;
  }

  run(inputs: readonly RawInput[], subset: Subset): MemberOutput[] {
    const outputs: MemberOutput[] = [];
    this.#members.forEach(({ encoder, model }, m) => {
      if ((subset & (1 << m)) === 0) return;
      const { data } = model.run(encoder.encode(inputs) as Record<string, TensorData>); // of texts and rows, no promise
      outputs.push(data instanceof Float32Array ? data : Float32Array.from(data, Number));
    });
    return outputs;
  }

  release(): void {
    for (const { model } of this.#members) model.release();
  }
}
