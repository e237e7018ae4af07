import type { Rng } from '../../src/runtime/rng.ts';
import type { BatchResult, Device } from '../../src/serving/devices/device.ts';
import type { Subset } from '../../src/serving/policies/policy.ts';
import type { ManualClock } from '../../test/support/manual-clock.ts';

/** A model as it is deployed: every member on every thread of one machine, where they run one after another. */
export interface DeployedModel {
  /** By subset. */
  accuracy: readonly number[];
  /** c(m, b): what a batch really takes, ms. */
  latencyMs(member: number, rows: number): number;
}

export interface SimulatedThreadsOptions {
  threads: number;
  /** Coefficient of variation of batch times. */
  noise: number;
  clock: ManualClock;
  rng: Rng;
}

/** A batch of one model. */
interface TimedBatch {
  rows: number;
  subset: Subset;
}

/** The server's threads, whose batches take c(v, b) of simulated time. */
export class SimulatedThreads {
  batches = 0;
  readonly #options: SimulatedThreadsOptions;
  #running = 0;

  constructor(options: SimulatedThreadsOptions) {
    this.#options = options;
  }

  device(model: DeployedModel): SimulatedDevice {
    return new SimulatedDevice((batch) => this.#run(model, batch));
  }

  #run({ accuracy, latencyMs }: DeployedModel, { rows, subset }: TimedBatch): Promise<BatchResult> {
    const { threads, noise, rng, clock } = this.#options;
    if (this.#running >= threads) throw new Error('the server started a batch for which there is no thread');
    this.batches++;
    this.#running++;
    const members = Array.from({ length: Math.log2(accuracy.length) }, (_, m) => m).filter(
      (m) => (subset & (1 << m)) !== 0,
    );
    const factor = noise === 0 ? 1 : Math.max(0.5, 1 + noise * rng.normal());
    const ms = factor * members.reduce((sum, m) => sum + latencyMs(m, rows), 0);
    const output = Float32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? 0.9 : 0.1));
    return new Promise((resolve) => {
      clock.after(ms, () => {
        this.#running--;
        resolve({ outputs: members.map(() => output), ms });
      });
    });
  }
}

/** One model on the threads. */
export class SimulatedDevice implements Device {
  readonly isReady = true;
  readonly isFree = true;
  readonly inlineRows = 0;
  readonly #run: (batch: TimedBatch) => Promise<BatchResult>;
  /** Subsets of the inputs of the batches that have just ended, and of those that run. */
  readonly #subsets = new Map<string, Subset>();

  constructor(run: (batch: TimedBatch) => Promise<BatchResult>) {
    this.#run = run;
  }

  subsetOf(input: string): Subset {
    const subset = this.#subsets.get(input) ?? 0;
    this.#subsets.delete(input);
    return subset;
  }

  async open(): Promise<boolean> {
    return true;
  }

  run(inputs: readonly string[], subset: Subset): Promise<BatchResult> {
    for (const input of inputs) this.#subsets.set(input, subset);
    return this.#run({ rows: inputs.length, subset });
  }

  async release(): Promise<void> {}
}
