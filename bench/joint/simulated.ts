import type { Round, RoundPace, RoundWeights, Team, WeightChange } from '../../src/domain/joint-training.ts';
import type { Trainer } from '../../src/engine/trainer.ts';
import { localSteps } from '../../src/training/joint/local-steps.ts';
import { Rounds } from '../../src/training/joint/rounds.ts';
import type { PreparedTrial } from '../../src/training/trial.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Figure } from '../figure.ts';

/** Milliseconds of a step of BATCH rows on one worker, and the trial: EPOCHS epochs of STEPS such steps. */
const STEP_MS = 50;
const BATCH = 64;
const STEPS = 10_000;
const EPOCHS = 20;
/** What a message takes apart from its bytes: a NOTIFY, a query, and the pause between two looks at the rows of a round. */
const LATENCY_MS = 60;

const modelsMb = [5, 50];
const networks = [
  { name: '100 Mbit/s', bytesPerMs: 100e6 / 8 / 1000 },
  { name: '10 Gbit/s', bytesPerMs: 10e9 / 8 / 1000 },
];
const counts = [2, 4, 8, 16, 32];
/** Share of linear speed-up, where the bytes allow so much. */
const BAR = 0.9;

interface SimulatedSetting {
  workers: number;
  /** Of a change, in half precision. */
  bytes: number;
  bytesPerMs: number;
}

/**
 * The rounds of src/training/joint on simulated time, for networks and numbers of workers that this machine has not. All
 * bytes pass through one server of the parameter store, whose link, like each worker's, has the given speed.
 */
export async function* simulatedRounds(): AsyncIterable<Figure> {
  for (const { name, bytesPerMs } of networks) {
    for (const mb of modelsMb) {
      for (const workers of counts) {
        const setting = { workers, bytes: (mb * 1e6) / 2, bytesPerMs };
        const { share, rounds, steps } = await simulate(setting);
        const bound = boundOf(setting);
        const allowed = bound >= BAR;
        yield {
          bench: 'joint',
          name: `${mb} MB, ${name}, ${workers}`,
          value: share,
          unit: 'of linear',
          peer: 'bound',
          peerValue: bound,
          ratio: share / bound,
          ...(allowed ? { bar: BAR } : {}),
          ok: allowed ? share >= BAR : null,
          note: `simulated; ${rounds} rounds, the last of ${steps} steps`,
        };
      }
    }
  }
}

/**
 * The largest share of linear speed-up that the bytes allow: one exchange an epoch, the least there is, in which the
 * changes of all other workers go into the server and out to the leading one, and the mean goes in once and out to each.
 */
function boundOf({ workers, bytes, bytesPerMs }: SimulatedSetting): number {
  const trainMs = (STEPS * STEP_MS) / workers;
  const link = (bytes * Math.max(1, workers - 1)) / bytesPerMs;
  const exchangeMs = bytes / bytesPerMs + 3 * link;
  return trainMs / (trainMs + exchangeMs);
}

async function simulate(setting: SimulatedSetting): Promise<{ share: number; rounds: number; steps: number }> {
  const team = new SimulatedTeam(setting);
  const trial = {
    batch: BATCH,
    recipe: { stepsPerRun: 4 },
    network: { parameters: {} },
    spec: {
      data: { classes: [], train: { inputs: [], labels: [] }, valid: { inputs: [], labels: new Int32Array(0) } },
    },
  } as unknown as PreparedTrial;
  const rounds = new Rounds(trial, new NoTrainer() as unknown as Trainer, team);
  let steps = 0;
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (let step = 0; step < STEPS; ) {
      const share = await rounds.begin({ epoch, epochs: EPOCHS, step }, STEPS - step);
      team.train(share.range.to - share.range.from);
      await rounds.end(share);
      step += share.batches;
      steps = Math.floor((share.range.to - share.range.from) / localSteps(trial, share.seats).batch);
    }
  }
  const alone = EPOCHS * STEPS * STEP_MS;
  return { share: alone / team.nowMs() / setting.workers, rounds: team.rounds, steps };
}

/** The workers of a trial, and the way between them, as times. */
class SimulatedTeam implements Team {
  readonly #clock = new ManualClock();
  readonly #setting: SimulatedSetting;
  #begun = false;
  readonly lastRound = 0;
  /** When the other workers have the weights of the round, and how long it takes them to train. */
  #othersStartMs = 0;
  #trainMs = 0;
  #rows = 0;
  rounds = 0;

  constructor(setting: SimulatedSetting) {
    this.#setting = setting;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  async next(): Promise<{ seats: number; needAll: boolean }> {
    const needAll = !this.#begun;
    this.#begun = true;
    return { seats: this.#setting.workers, needAll };
  }

  async begin(_round: Round, weights: RoundWeights, _last: RoundPace | null): Promise<void> {
    const bytes = this.#setting.bytes * (weights.kind === 'all' ? 2 : 1);
    this.rounds++;
    this.#clock.advance(this.#ms(bytes));
    this.#othersStartMs = this.nowMs() + this.#ms(bytes * this.#others);
  }

  /** The leading worker trains its share; the others have as many rows. */
  train(rows: number): void {
    this.#rows = rows;
    this.#trainMs = (rows / BATCH) * STEP_MS;
    this.#clock.advance(this.#trainMs);
  }

  async collect(): Promise<readonly WeightChange[]> {
    const { bytes } = this.#setting;
    const hereMs = this.#othersStartMs + this.#trainMs + 2 * this.#ms(bytes * this.#others);
    this.#clock.advance(Math.max(0, hereMs - this.nowMs()));
    const change = {
      halves: new Uint16Array(0),
      uses: new Uint16Array(0),
      rows: this.#rows,
      seconds: this.#trainMs / 1000,
    };
    return Array.from({ length: this.#others }, () => change);
  }

  get #others(): number {
    return this.#setting.workers - 1;
  }

  #ms(bytes: number): number {
    return LATENCY_MS + bytes / this.#setting.bytesPerMs;
  }
}

/** Only times are simulated: there are no weights. */
class NoTrainer {
  readonly steps = 0;

  flatWeights(): Float32Array {
    return new Float32Array(0);
  }

  flatAverages(): null {
    return null;
  }

  takeUses(): Uint16Array {
    return new Uint16Array(0);
  }

  replaceWeights(): void {}
}
