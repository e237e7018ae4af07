import type { DeploymentRow } from '../db/statements/serving.ts';
import { type InputKind, inputOf } from '../domain/task.ts';
import type { Clock } from '../runtime/clock.ts';
import type { AnswerCache } from './answer-cache.ts';
import { Batcher } from './batcher.ts';
import type { Device } from './device.ts';
import { answeringMembers, judgeOf } from './ensemble.ts';
import { assumedAccuracies, ServedFleet } from './fleet.ts';
import { LatencyModel, measuredSizes } from './latency-model.ts';
import type { Policy, Subset } from './policies/policy.ts';
import type { PolicyKind } from './policies/registry.ts';
import type { PredictStat } from './predict-stat.ts';
import { timings } from './timings.ts';

export interface ServedModelOptions {
  row: DeploymentRow;
  device: Device;
  policy: PolicyKind;
  cache: AnswerCache;
  stat: PredictStat;
  clock: Clock;
  /** An input like those that the model sees: c(b) is measured on it. */
  sample: string;
}

/** τ where neither the call, nor the session, nor the model says another. */
export const DEFAULT_BUDGET_MS = 50;

/** A batch size that takes so long is the last to be measured: larger ones are in proportion. */
const ENOUGH_MS = 250;

/** One deployment that is loaded: its row, its device and its queue. */
export class ServedModel {
  readonly row: DeploymentRow;
  readonly input: InputKind;
  readonly stat: PredictStat;
  readonly batcher: Batcher;
  readonly fleet: ServedFleet;
  readonly policy: Policy;
  readonly #device: Device;
  readonly #cache: AnswerCache;

  private constructor({ row, device, policy, cache, stat, clock }: ServedModelOptions, fleet: ServedFleet) {
    this.row = row;
    this.input = inputOf(row.task);
    this.stat = stat;
    this.fleet = fleet;
    this.#device = device;
    this.#cache = cache;
    this.policy = policy.create({ fleet, drops: true, seed: row.versionId });
    this.batcher = new Batcher({
      device,
      fleet,
      policy: this.policy,
      clock,
      judge: judgeOf(row.task, row.classes),
      budgetMs: row.budgetMs ?? DEFAULT_BUDGET_MS,
      onBatch: () => {
        stat.batches++;
      },
      onAnswer: (text, answer) => cache.set(row.versionId, text, answer),
    });
  }

  static async load(options: ServedModelOptions): Promise<ServedModel> {
    const { row, device, sample } = options;
    const members = row.members.slice(0, answeringMembers(row.task, row.members.length));
    const latency: LatencyModel[] = [];
    for (const m of members.keys()) latency.push(new LatencyModel(await measure(device, 1 << m, sample)));
    const accuracy = row.accuracies ?? assumedAccuracies(members, row.score);
    return new ServedModel(options, new ServedFleet({ latency, accuracy, servers: device.slots }));
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

/** c(m, b) of one member by batch size: the median of some runs. */
async function measure(device: Device, subset: Subset, sample: string): Promise<Map<number, number>> {
  const measured = new Map<number, number>();
  for (const size of measuredSizes) {
    const texts = Array.from({ length: size }, () => sample);
    const times = await timings(() => device.run(texts, subset));
    const median = times[Math.floor(times.length / 2)] as number;
    measured.set(size, median);
    if (median >= ENOUGH_MS) break;
  }
  return measured;
}
