import type { DeploymentRow } from '../db/statements/serving.ts';
import { decisiveMembers } from '../domain/vote.ts';
import type { Clock } from '../runtime/clock.ts';
import type { AnswerCache } from './answer-cache.ts';
import { Batcher } from './batcher.ts';
import type { Device } from './device.ts';
import { LatencyModel, measuredSizes } from './latency-model.ts';
import type { Policy } from './policies/policy.ts';
import type { PredictStat } from './predict-stat.ts';
import { timings } from './timings.ts';

export interface ServedModelOptions {
  row: DeploymentRow;
  device: Device;
  policy: Policy;
  cache: AnswerCache;
  stat: PredictStat;
  clock: Clock;
}

/** A text like those that models see: c(b) is measured on it. */
export const sampleText =
  'an idea that sounds good on paper , told with warmth and wit , and not a minute too long for what it has to say';

/** One deployment that is loaded: its row, its device and its queue. */
export class ServedModel {
  readonly row: DeploymentRow;
  readonly stat: PredictStat;
  readonly batcher: Batcher;
  readonly latency: LatencyModel;
  readonly #device: Device;
  readonly #cache: AnswerCache;

  private constructor({ row, device, policy, cache, stat, clock }: ServedModelOptions, latency: LatencyModel) {
    this.row = row;
    this.stat = stat;
    this.latency = latency;
    this.#device = device;
    this.#cache = cache;
    this.batcher = new Batcher({
      device,
      latency,
      policy,
      clock,
      classes: row.classes.length,
      members: row.members.length,
      onBatch: () => {
        stat.batches++;
      },
      onAnswer: (text, label) => cache.set(row.versionId, text, this.labelOf(label)),
    });
  }

  static async load(options: ServedModelOptions): Promise<ServedModel> {
    const members = decisiveMembers(options.row.members.length);
    return new ServedModel(options, new LatencyModel(await measure(options.device, members)));
  }

  labelOf(index: number): string {
    return this.row.classes[index] ?? String(index);
  }

  /** The answer, when it was asked before. */
  recall(text: string): string | undefined {
    return this.#cache.get(this.row.versionId, text);
  }

  /** Computes the texts that nobody asked yet; they come out of the cache when they are. */
  warm(texts: readonly (string | null)[]): void {
    for (const text of texts) {
      if (text !== null && !this.#cache.has(this.row.versionId, text)) this.batcher.warm(text);
    }
  }

  /** Answers what waits, then frees the device. */
  async release(): Promise<void> {
    await this.batcher.close();
    await this.#device.release();
  }
}

/** c(b) for each size: the median of some runs. */
async function measure(device: Device, members: number): Promise<Map<number, number>> {
  const measured = new Map<number, number>();
  for (const size of measuredSizes) {
    const texts = Array.from({ length: size }, () => sampleText);
    const times = await timings(() => device.run(texts, members));
    measured.set(size, times[Math.floor(times.length / 2)] as number);
  }
  return measured;
}
