import { classification } from '../../src/domain/kinds/classification.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { Machine } from '../../src/serving/machine/machine.ts';
import { ServedFleet } from '../../src/serving/policies/fleet.ts';
import { LatencyModel, measuredSizes } from '../../src/serving/policies/latency-model.ts';
import type { Subset } from '../../src/serving/policies/policy.ts';
import { Batcher } from '../../src/serving/queue/batcher.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { simulatedPolicy } from './policies.ts';
import { type DeployedModel, type SimulatedDevice, SimulatedThreads } from './simulated-threads.ts';

/** A model and the latency budget τ of its requests. */
export interface BudgetedModel {
  model: DeployedModel;
  budgetMs: number;
}

export interface ServedMachineOptions {
  models: readonly BudgetedModel[];
  /** Batches that run in parallel, of all models together. */
  threads: number;
  /** The setting rafiki.on_overdue. */
  onOverdue: 'answer' | 'error';
  policy: string;
  /** Coefficient of variation of batch times. */
  noise: number;
  seed: number;
}

interface Asker {
  role: string;
  session: object;
  /** The place of the model. */
  model?: number;
}

/**
 * The server's own queues, batchers, fleets and policies on simulated time, in front of threads that only wait and that
 * hold all models.
 */
export class ServedMachine {
  readonly clock = new ManualClock();
  readonly #options: ServedMachineOptions;
  readonly #threads: SimulatedThreads;
  readonly #models: readonly { device: SimulatedDevice; batcher: Batcher }[];

  constructor(options: ServedMachineOptions) {
    const { models, policy, seed } = options;
    this.#options = options;
    this.#threads = new SimulatedThreads({ ...options, clock: this.clock, rng: createRng(seed) });
    const machine = new Machine({ slots: options.threads, clock: this.clock });
    this.#models = models.map(({ model, budgetMs }) => {
      const fleet = fleetOf(model, options.threads);
      const device = this.#threads.device(model);
      const batcher = new Batcher({
        device,
        fleet,
        policy: simulatedPolicy(policy).create({ fleet, seed }),
        clock: this.clock,
        machine,
        answerMaker: classification.answers(['no', 'yes'], 'vote'),
        members: [],
        budgetMs,
        onBatch: () => undefined,
        onUnloaded: () => undefined,
        onAnswer: () => undefined,
      });
      return { device, batcher };
    });
  }

  get batches(): number {
    return this.#threads.batches;
  }

  /** Asks now; the answer is the subset that gave it. */
  ask(
    input: string,
    { role, session, model = 0 }: Asker,
    { resolve, reject }: { resolve(subset: Subset): void; reject(): void },
  ): void {
    const { models, onOverdue } = this.#options;
    const { device, batcher } = this.#models[model]!;
    const { budgetMs } = models[model]!;
    const deadlineMs = this.clock.nowMs() + budgetMs;
    const terms = { wantsDetail: false, deadlineMs, budgetMs, isFirm: onOverdue === 'error', role, session };
    try {
      batcher.ask(input, terms, { resolve: () => resolve(device.subsetOf(input)), reject });
    } catch {
      reject();
    }
  }

  /** The batcher dispatches in a callback of setImmediate that was set before this one. */
  settled(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** The next event with all its consequences; returns false if there is none. */
  async next(): Promise<boolean> {
    await this.settled();
    if (this.clock.nextMs === Number.POSITIVE_INFINITY) return false;
    this.clock.advanceTo(this.clock.nextMs);
    await this.settled();
    return true;
  }
}

/** As the server measures a model when it loads it. */
function fleetOf({ accuracy, latencyMs }: DeployedModel, servers: number): ServedFleet {
  const members = Array.from({ length: Math.log2(accuracy.length) }, (_, m) => m);
  const fleet = new ServedFleet({
    members: members.map((m) => ({ family: `family ${m}`, precision: 'float32', variantOf: null })),
    accuracy,
    servers,
  });
  fleet.measured(
    members.map((m) => new LatencyModel(new Map(measuredSizes.map((rows) => [rows, latencyMs(m, rows)])))),
  );
  return fleet;
}
