import type { Step } from '../../src/engine/feeds.ts';
import { Trainer } from '../../src/engine/trainer.ts';
import type { Network } from '../../src/graph/network.ts';
import { fasttextNetwork } from '../../src/models/fasttext.ts';
import { temporalCnnNetwork } from '../../src/models/temporal-cnn.ts';
import { createRng } from '../../src/runtime/rng.ts';

const batch = 64;
const length = 64;
/** Steps of one run of the engine, as in training. */
const stepsPerRun = 16;

interface Job {
  name: string;
  rows: number;
  network: Network;
  dropout: number;
}

export const jobs: readonly Job[] = [
  {
    name: 'textcnn',
    rows: 20_000,
    network: temporalCnnNetwork({ rows: 20_000, dim: 128, filters: 100, classes: 2 }),
    dropout: 0.5,
  },
  { name: 'fasttext', rows: 100_000, network: fasttextNetwork({ rows: 100_000, dim: 32, classes: 2 }), dropout: 0 },
];

/** Our side of one job, on random texts whose words follow Zipf's law, as words do. */
export class OwnJob {
  readonly #trainer: Trainer;
  readonly #job: Job;
  readonly #rng = createRng(1);

  private constructor(job: Job, trainer: Trainer) {
    this.#job = job;
    this.#trainer = trainer;
  }

  static async start(job: Job, threads: number): Promise<OwnJob> {
    return new OwnJob(job, await Trainer.create({ network: job.network, optimiser: 'adam', batch, threads, seed: 1 }));
  }

  /** Milliseconds per step over one run, everything included that training does between two runs. */
  async msPerStep(): Promise<number> {
    const steps = Array.from({ length: stepsPerRun }, () => this.#step());
    const started = performance.now();
    await this.#trainer.run(steps, { momentum: 0, weightDecay: 0, dropout: this.#job.dropout });
    return (performance.now() - started) / stepsPerRun;
  }

  stop(): Promise<void> {
    return this.#trainer.release();
  }

  #step(): Step {
    const data = Int32Array.from({ length: batch * length }, () => Math.floor(this.#job.rows ** this.#rng.uniform()));
    const targets = Float32Array.from({ length: batch * 2 }, (_, i) => i % 2);
    return { inputs: { ids: { dtype: 'int32', shape: [batch, length], data } }, targets, learningRate: 1e-3 };
  }
}
