import type { TensorData } from '../../src/domain/tensor.ts';
import type { TrainingStep } from '../../src/engine/feeds.ts';
import { Trainer } from '../../src/engine/trainer.ts';
import type { Network } from '../../src/graph/network.ts';
import type { OptimiserName } from '../../src/graph/optimisers/registry.ts';
import { fasttextNetwork } from '../../src/models/text/fasttext.ts';
import { temporalCnnNetwork } from '../../src/models/text/temporal-cnn.ts';
import { createRng, type Rng } from '../../src/runtime/rng.ts';
import { resnet32, vgg32, xception32 } from './image-networks.ts';
import { recurrent } from './recurrent-networks.ts';

const batch = 64;
const length = 64;
/** Steps of one run of the engine, as in training. */
const stepsPerRun = 16;

export interface EngineJob {
  name: string;
  network: Network;
  optimiser: OptimiserName;
  threads: number;
  /** Maximum time of a step, as a multiple of PyTorch's on the same machine in the same run. */
  bar: number;
  dropout: number;
  /** Variants of PyTorch, of which the fastest counts. */
  peers: readonly string[];
  inputs(rng: Rng): Record<string, TensorData>;
}

/** A worker's share of a small machine: two trials on two cores are fastest with a thread each. */
const texts = { optimiser: 'adamw', threads: 1 } as const;
const characters = { optimiser: 'adamw', threads: 2, dropout: 0, inputs: randomCharacters } as const;
const images = { optimiser: 'sgd', threads: 2, dropout: 0, inputs: randomImages } as const;

export const jobs: readonly EngineJob[] = [
  {
    name: 'textcnn',
    bar: 1.1,
    network: temporalCnnNetwork({ rows: 20_000, dim: 128, filters: 100, classes: 2 }),
    dropout: 0.5,
    peers: ['textcnn', 'textcnn-sparse'],
    inputs: (rng) => randomTexts(20_000, rng),
    ...texts,
  },
  {
    name: 'fasttext',
    bar: 1,
    network: fasttextNetwork({ rows: 100_000, dim: 32, classes: 2 }),
    dropout: 0,
    peers: ['fasttext', 'fasttext-sparse'],
    inputs: (rng) => randomTexts(100_000, rng),
    ...texts,
  },
  { name: 'gru', network: recurrent('gru'), peers: ['gru'], ...characters, bar: 0.9 },
  { name: 'lstm', network: recurrent('lstm'), peers: ['lstm'], ...characters, bar: 1 },
  { name: 'vgg32', network: vgg32, bar: 1.2, peers: ['vgg32'], ...images },
  { name: 'resnet32', network: resnet32, bar: 1.3, peers: ['resnet32'], ...images },
  { name: 'xception32', network: xception32, bar: 1.2, peers: ['xception32'], ...images },
];

/** Our side of one job. */
export class OwnJob {
  readonly #trainer: Trainer;
  readonly #job: EngineJob;
  readonly #rng = createRng(1);

  private constructor(job: EngineJob, trainer: Trainer) {
    this.#job = job;
    this.#trainer = trainer;
  }

  static async start(job: EngineJob): Promise<OwnJob> {
    const { network, optimiser, threads } = job;
    return new OwnJob(job, await Trainer.create({ network, optimiser, batch, threads, seed: 1 }));
  }

  /** Milliseconds per step over one run, including everything that training does between two runs. */
  async msPerStep(): Promise<number> {
    const steps = Array.from({ length: stepsPerRun }, () => this.#step());
    const started = performance.now();
    await this.#trainer.run(steps, { momentum: 0.9, weightDecay: 5e-4, dropout: this.#job.dropout });
    return (performance.now() - started) / stepsPerRun;
  }

  stop(): Promise<void> {
    return this.#trainer.release();
  }

  #step(): TrainingStep {
    const classes = Number(this.#job.network.targets['truth']?.shape[0]);
    const data = new Float32Array(batch * classes);
    for (let row = 0; row < batch; row++) data[row * classes + (row % classes)] = 1;
    const truth: TensorData = { dtype: 'float32', shape: [batch, classes], data };
    return { inputs: this.#job.inputs(this.#rng), targets: { truth }, learningRate: 1e-3 };
  }
}

/** Word frequencies follow Zipf's law. */
function randomTexts(rows: number, rng: Rng): Record<string, TensorData> {
  const data = Int32Array.from({ length: batch * length }, () => Math.floor(rows ** rng.uniform()));
  return { ids: { dtype: 'int32', shape: [batch, length], data } };
}

function randomCharacters(rng: Rng): Record<string, TensorData> {
  const data = Int32Array.from({ length: batch * 128 }, () => rng.below(100));
  return { ids: { dtype: 'int32', shape: [batch, 128], data } };
}

function randomImages(rng: Rng): Record<string, TensorData> {
  const shape = [batch, 3, 32, 32];
  const data = Uint8Array.from({ length: batch * 3 * 32 * 32 }, () => rng.below(256));
  return { image: { dtype: 'uint8', shape, data } };
}
