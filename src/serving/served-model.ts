import type { DeploymentRow } from '../db/statements/serving/deployments.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { type InputKind, inputOf } from '../domain/task.ts';
import type { TimerClock } from '../runtime/clock.ts';
import type { AnswerCache } from './answer-cache.ts';
import type { Device } from './devices/device.ts';
import { explanationQueue } from './explanations/explainer.ts';
import type { Machine } from './machine/machine.ts';
import type { ServedFleet } from './policies/fleet.ts';
import type { Policy } from './policies/policy.ts';
import type { PolicyKind } from './policies/registry.ts';
import type { PredictStat } from './predict-stat.ts';
import { Batcher } from './queue/batcher.ts';
import { longestFirst } from './session/longest-first.ts';

export interface ServedModelOptions {
  row: DeploymentRow;
  device: Device;
  fleet: ServedFleet;
  policy: PolicyKind;
  cache: AnswerCache;
  stat: PredictStat;
  machine: Machine;
  clock: TimerClock;
}

/**
 * Speculative rows that may be reordered, so that rows of similar length share a batch: as many as are always
 * prefetched.
 */
const WARM_ROWS = 512;

/** Default latency budget τ, if call, session and model have none. */
export const DEFAULT_BUDGET_MS = 50;

/** One deployment: its row, its queue, and its device, which loads the model on demand. */
export class ServedModel {
  readonly row: DeploymentRow;
  readonly inputKind: InputKind;
  readonly stat: PredictStat;
  readonly batcher: Batcher;
  readonly fleet: ServedFleet;
  readonly policy: Policy;
  readonly #device: Device;
  readonly #cache: AnswerCache;
  readonly #options: ServedModelOptions;
  #explanations: Batcher | undefined;

  constructor(options: ServedModelOptions) {
    const { row, device, fleet, policy, cache, stat, machine, clock } = options;
    this.#options = options;
    this.row = row;
    this.inputKind = inputOf(row.task);
    this.stat = stat;
    this.fleet = fleet;
    this.#device = device;
    this.#cache = cache;
    this.policy = policy.create({ fleet, seed: row.versionId });
    this.batcher = new Batcher({
      device,
      fleet,
      policy: this.policy,
      clock,
      machine,
      answerMaker: kindOf(row.task).answers(row.classes, row.rule),
      members: row.members,
      budgetMs: row.budgetMs ?? DEFAULT_BUDGET_MS,
      onBatch: (rows, subset) => stat.batch(rows, subset),
      onUnloaded: () => {
        stat.cold++;
      },
      onAnswer: (input, answer) => cache.set(row.versionId, input, answer),
    });
  }

  /** Loads the model into memory before the first request; returns whether it is loaded. */
  open(options?: { mayEvict: boolean }): Promise<boolean> {
    return this.#device.open(options);
  }

  /** The cached label, if there is one. */
  recall(input: string): string | undefined {
    return this.#cache.get(this.row.versionId, input);
  }

  /**
   * Computes labels of inputs that are not cached, those needed first first; later requests get them from the cache.
   */
  warm(inputs: readonly string[], role: string): void {
    for (let from = 0; from < inputs.length; from += WARM_ROWS) {
      const soon = inputs.slice(from, from + WARM_ROWS);
      for (const place of longestFirst(soon)) {
        const input = soon[place] as string;
        if (!this.#cache.has(this.row.versionId, input)) this.batcher.warm(input, role);
      }
    }
  }

  /** The queue of its explanations, which are those of all members in full precision. */
  get explanations(): Batcher {
    const { row, device, fleet, policy, stat, machine, clock } = this.#options;
    this.#explanations ??= explanationQueue({
      ...{ device, policy, machine, clock, seed: row.versionId, budgetMs: row.budgetMs ?? DEFAULT_BUDGET_MS },
      ensemble: {
        subset: fleet.exact,
        rule: row.rule,
        members: row.members.slice(0, fleet.members).filter((_, m) => (fleet.exact & (1 << m)) !== 0),
      },
      servers: fleet.stations[0]?.servers ?? 1,
      onBatch: () => {
        stat.batches++;
      },
      onUnloaded: () => {
        stat.cold++;
      },
    });
    return this.#explanations;
  }

  /** Answers the waiting requests, then releases the device. */
  async release(): Promise<void> {
    await Promise.all([this.batcher.close(), this.explanations.close()]); // none is explained later, either
    await this.#device.release();
  }
}
