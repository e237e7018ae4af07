import type { DeploymentRow } from '../db/statements/deployments.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { type InputKind, inputOf } from '../domain/task.ts';
import type { Clock } from '../runtime/clock.ts';
import type { AnswerCache } from './answer-cache.ts';
import type { Device } from './devices/device.ts';
import type { ServedFleet } from './policies/fleet.ts';
import type { Policy } from './policies/policy.ts';
import type { PolicyKind } from './policies/registry.ts';
import type { PredictStat } from './predict-stat.ts';
import { Batcher } from './queue/batcher.ts';
import type { Crowd } from './queue/crowd.ts';
import { longestFirst } from './session/longest-first.ts';

export interface ServedModelOptions {
  row: DeploymentRow;
  device: Device;
  fleet: ServedFleet;
  policy: PolicyKind;
  cache: AnswerCache;
  stat: PredictStat;
  crowd: Crowd;
  clock: Clock;
}

/** Rows read ahead whose order is free, so that those alike in length share a batch: as many as always wait for their requests. */
const WARM_ROWS = 512;

/** τ where neither the call, nor the session, nor the model says another. */
export const DEFAULT_BUDGET_MS = 50;

/** One deployment: its row, its queue, and its device, which has the model in memory or away. */
export class ServedModel {
  readonly row: DeploymentRow;
  readonly input: InputKind;
  readonly stat: PredictStat;
  readonly batcher: Batcher;
  readonly fleet: ServedFleet;
  readonly policy: Policy;
  readonly #device: Device;
  readonly #cache: AnswerCache;

  constructor({ row, device, fleet, policy, cache, stat, crowd, clock }: ServedModelOptions) {
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
      crowd,
      judge: kindOf(row.task).answers(row.classes),
      budgetMs: row.budgetMs ?? DEFAULT_BUDGET_MS,
      onBatch: () => {
        stat.batches++;
      },
      onAway: () => {
        stat.cold++;
      },
      onAnswer: (text, answer) => cache.set(row.versionId, text, answer),
    });
  }

  /** Brings the model into memory before anybody asks; whether it is there then. */
  open(options?: { mayEvict: boolean }): Promise<boolean> {
    return this.#device.open(options);
  }

  /** The answer, when it was asked before. */
  recall(text: string): string | undefined {
    return this.#cache.get(this.row.versionId, text);
  }

  /** Computes the texts that nobody asked yet, those asked soon first; they come out of the cache when they are. */
  warm(texts: readonly string[], role: string): void {
    for (let from = 0; from < texts.length; from += WARM_ROWS) {
      const soon = texts.slice(from, from + WARM_ROWS);
      for (const place of longestFirst(soon)) {
        const text = soon[place] as string;
        if (!this.#cache.has(this.row.versionId, text)) this.batcher.warm(text, role);
      }
    }
  }

  /** Answers what waits, then frees the device. */
  async release(): Promise<void> {
    await this.batcher.close();
    await this.#device.release();
  }
}
