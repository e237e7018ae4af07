import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Transport } from '../../src/domain/joint-training.ts';
import type { Trainer } from '../../src/engine/trainer.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { ErrorFeedback } from '../../src/training/joint/error-feedback.ts';
import { addChange } from '../../src/training/joint/flat-weights.ts';
import { FolderLead, FolderTransport } from '../../src/training/joint/folder.ts';
import { Rounds } from '../../src/training/joint/rounds.ts';
import { TransportTeam } from '../../src/training/joint/team.ts';
import type { PreparedTrial } from '../../src/training/trial.ts';
import type { Figure } from '../figure.ts';

const modelsMb = [1, 5, 20];
const ROUNDS = 12;
/** Rounds in which files and memory are used for the first time. */
const WARM_UP = 2;
/** Milliseconds that the steps of a round are assumed to take: four of 50 ms. */
const TRAIN_MS = 4 * 50;
const MAX_SHARE = 0.1;

/**
 * What a round of two workers of one machine costs beside training: the rounds of src/training/joint with real files, and weights that change but are
 * not trained. Both workers are in this process, one after the other, as in a round in which each waits for the other.
 */
export async function* roundsInFiles(): AsyncIterable<Figure> {
  for (const mb of modelsMb) {
    const ms = await roundMs((mb * 1e6) / Float32Array.BYTES_PER_ELEMENT);
    const share = ms / (ms + TRAIN_MS);
    const figure = { bench: 'joint', name: `files, ${mb} MB` } as const;
    yield { ...figure, value: Number(ms.toPrecision(3)), unit: 'ms a round', ok: null };
    yield {
      ...figure,
      value: Number(share.toPrecision(2)),
      unit: `of a round of ${TRAIN_MS} ms`,
      bar: MAX_SHARE,
      ok: share <= MAX_SHARE,
    };
  }
}

/** Median of the CPU time of a round without training: other load on the machine does not count. */
async function roundMs(weights: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-rounds-'));
  const near = new FolderTransport(folder, silentLogger);
  const team = new TransportTeam({
    near,
    far: nobody,
    show: async () => undefined,
    lastRound: 0,
    logger: silentLogger,
  });
  const trainer = new DriftingTrainer(weights);
  const rounds = new Rounds(trialOf(weights), trainer as unknown as Trainer, team);
  const other = join(folder, weights);
  while ((await near.waiting()).length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const times: number[] = [];
  for (let done = 0; done < ROUNDS; done++) {
    const before = process.cpuUsage();
    const share = await rounds.begin({ epoch: 0, epochs: 1, step: 4 * done }, 4);
    await rounds.end(share);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
    trainer.drift();
  }
  rmSync(folder, { recursive: true });
  await other;
  const sorted = times.slice(WARM_UP).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The other worker: as `trainShares`, without training. */
async function join(folder: string, weights: number): Promise<void> {
  const lead = new FolderLead({ folder, processId: 2, onTrained: async () => undefined });
  const feedback = new ErrorFeedback();
  const trainer = new DriftingTrainer(weights);
  let common: Float32Array = new Float32Array(0);
  let trained: Float32Array = new Float32Array(0);
  for (let next = await lead.next(); next !== null; next = await lead.next()) {
    const { round, weights: sent } = next;
    if (sent.kind === 'trees' || sent.kind === 'sums') continue;
    common = sent.kind === 'all' ? sent.values : addChange(common, sent.halves, common);
    trainer.replaceWeights(common);
    trained = trainer.flatWeights(trained);
    const halves = feedback.encodeChange(common, trained);
    await lead.send(round, { halves, uses: new Uint16Array(0), rows: 1, seconds: 1 });
  }
}

class DriftingTrainer {
  readonly #weights: Float32Array;
  steps = 0;

  constructor(size: number) {
    this.#weights = Float32Array.from({ length: size }, (_, i) => (i % 97) / 97);
  }

  drift(): void {
    for (let i = 0; i < this.#weights.length; i += 7) this.#weights[i] = (this.#weights[i] as number) + 1e-3;
  }

  flatWeights(into: Float32Array): Float32Array {
    if (into.length !== this.#weights.length) return this.#weights.slice();
    into.set(this.#weights);
    return into;
  }

  replaceWeights(flat: Float32Array): void {
    this.#weights.set(flat);
  }

  flatAverages(): null {
    return null;
  }

  takeUses(): Uint16Array {
    return new Uint16Array(0);
  }
}

const nobody: Transport = { waiting: async () => [], offer: async () => undefined, collect: async () => [] };

const trialOf = (weights: number): PreparedTrial =>
  ({
    batch: 64,
    recipe: { stepsPerRun: 4 },
    network: { parameters: { w: { shape: [weights] } } },
    spec: {
      data: { classes: [], train: { inputs: [], labels: [] }, valid: { inputs: [], labels: new Int32Array(0) } },
    },
  }) as unknown as PreparedTrial;
