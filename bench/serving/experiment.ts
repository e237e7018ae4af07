import { createRng, deriveSeed } from '../../src/runtime/rng.ts';
import { KeptResults, Results } from '../results.ts';
import { bound } from './bound.ts';
import { leaving, simulatedPolicy } from './policies.ts';
import { simulate } from './simulator.ts';
import { arrivalsOf, isHighRate, type Setting } from './workloads.ts';

/** One policy on one load with one seed. */
export interface ExperimentRun {
  setting: Setting;
  load: string;
  policy: string;
  drops: boolean;
  noise: number;
  seed: number;
}

/** The result, compared with the bound. */
export interface MeasuredPolicy {
  /** Of the bound's reward. */
  fraction: number;
  missed: number;
  boundMissed: number;
  /** Of those that were answered. */
  overdueShare: number;
  /** Mean accuracy of the answers. */
  accuracy: number;
  latencyMs: number;
  reward: number;
  boundReward: number;
  /** While the sine is above its mean, and below it. */
  high: { accuracy: number; missed: number };
  low: { accuracy: number; missed: number };
}

const columns = [
  ...['setting', 'load', 'policy', 'drops', 'noise', 'seed'],
  ...['fraction', 'missed', 'bound_missed', 'overdue_share', 'accuracy', 'latency_ms', 'reward', 'bound_reward'],
  ...['high_accuracy', 'high_missed', 'low_accuracy', 'low_missed'],
];

/** Runs, stored in docs/experiments: an interrupted bench continues where it was. */
export class Experiment {
  readonly #runs: Results;
  readonly #bounds: Results;

  constructor({ isKept }: { isKept: boolean }) {
    this.#runs = isKept ? new KeptResults('serving/runs.csv', columns) : new Results();
    const bounds = ['setting', 'load', 'seed', 'reward', 'missed'];
    this.#bounds = isKept ? new KeptResults('serving/bounds.csv', bounds) : new Results();
  }

  async measure(run: ExperimentRun): Promise<MeasuredPolicy> {
    const key = [run.setting.name, run.load, run.policy, run.drops ? 'yes' : 'no', run.noise, run.seed];
    if (!this.#runs.has(...key)) this.#runs.add([...key, ...(await this.#simulate(run)).map(short)]);
    const row = this.#runs.rows.find((values) => key.every((value, i) => values[i] === String(value))) ?? [];
    return decode(row.slice(key.length).map(Number));
  }

  /** The runs of one policy with the seeds 1 to `seeds`. */
  async each(run: Omit<ExperimentRun, 'seed'>, seeds: number): Promise<MeasuredPolicy[]> {
    const measured: MeasuredPolicy[] = [];
    for (let seed = 1; seed <= seeds; seed++) measured.push(await this.measure({ ...run, seed }));
    return measured;
  }

  async #simulate(run: ExperimentRun): Promise<number[]> {
    const { setting, load, policy, drops, noise, seed } = run;
    const { fleet, budgetMs } = setting;
    const arrivals = arrivalsOf(setting, load, seed);
    const [boundReward, boundMissed] = await this.#bound(run);
    const phases = { high: new Phase(), low: new Phase() };
    const result = simulate({
      fleet,
      budgetMs,
      arrivals,
      policy: (known) => simulatedPolicy(policy).create({ fleet: known, seed, ...leaving(drops) }),
      drops,
      noise,
      rng: createRng(deriveSeed(seed, 1)),
      onAnswer: (ms, outcome) => phases[isHighRate(setting, ms) ? 'high' : 'low'].add(outcome),
    });
    const { requests, overdue, refused, accuracy, latencyMs, reward } = result;
    const answered = Math.max(1, requests - refused);
    return [
      ...[reward / boundReward, (overdue + refused) / requests, boundMissed, overdue / answered],
      ...[accuracy / answered, latencyMs / answered, reward, boundReward],
      ...[phases.high.accuracy, phases.high.missed, phases.low.accuracy, phases.low.missed],
    ];
  }

  async #bound({ setting, load, seed }: ExperimentRun): Promise<[number, number]> {
    const key = [setting.name, load, seed];
    if (!this.#bounds.has(...key)) {
      const { reward, missed } = await bound(setting.fleet, arrivalsOf(setting, load, seed), setting.budgetMs);
      this.#bounds.add([...key, short(reward), short(missed)]);
    }
    const row = this.#bounds.rows.find((values) => key.every((value, i) => values[i] === String(value)));
    return [Number(row?.[3]), Number(row?.[4])];
  }
}

class Phase {
  #requests = 0;
  #missed = 0;
  #answered = 0;
  #accuracy = 0;

  add({ accuracy, isLate }: { accuracy: number; isLate: boolean }): void {
    this.#requests++;
    if (isLate) this.#missed++;
    if (accuracy === 0) return;
    this.#answered++;
    this.#accuracy += accuracy;
  }

  get accuracy(): number {
    return this.#accuracy / Math.max(1, this.#answered);
  }

  get missed(): number {
    return this.#missed / Math.max(1, this.#requests);
  }
}

const short = (value: number): number => Number(value.toPrecision(6));

function decode(values: readonly number[]): MeasuredPolicy {
  const at = (i: number): number => values[i] ?? Number.NaN;
  return {
    ...{ fraction: at(0), missed: at(1), boundMissed: at(2), overdueShare: at(3) },
    ...{ accuracy: at(4), latencyMs: at(5), reward: at(6), boundReward: at(7) },
    high: { accuracy: at(8), missed: at(9) },
    low: { accuracy: at(10), missed: at(11) },
  };
}
