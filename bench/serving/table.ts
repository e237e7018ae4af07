import type { Figure } from '../figure.ts';
import type { Experiment, MeasuredPolicy } from './experiment.ts';
import { halfInterval, mean } from './statistics.ts';
import { type Setting, settings } from './workloads.ts';

/** Targets: minimum share of the bound, maximum share missed. */
const bars: Record<string, [number, number]> = {
  'single sine': [0.99, 0.025],
  'single bursts': [0.98, 0.09],
  'single on-off': [0.88, 0.15],
  'three-128 sine': [0.996, 0.002],
  'three-128 bursts': [0.996, 0.002],
  'three-128 on-off': [0.99, 0.01],
  'three-572 sine': [0.99, 0.025],
  'three-572 bursts': [0.98, 0.085],
  'three-572 on-off': [0.9, 0.14],
};

/** Every other policy, without and with dropping where it makes sense to serve all. */
const others: readonly { policy: string; drops: boolean }[] = [
  { policy: 'greedy', drops: false },
  { policy: 'greedy', drops: true },
  { policy: 'eager', drops: false },
  { policy: 'eager', drops: true },
  { policy: 'async', drops: false },
  { policy: 'async', drops: true },
  { policy: 'fixed', drops: false },
  { policy: 'fixed', drops: true },
  { policy: 'aimd', drops: false },
  { policy: 'aimd', drops: true },
  { policy: 'price', drops: true },
  { policy: 'actor-critic', drops: false },
  { policy: 'actor-critic', drops: true },
];

/** Targets of the actor-critic on the sine, minimum shares of the bound: serving all, and dropping. */
const learnedBars: Record<string, { served: number; dropping?: number }> = {
  'single sine': { served: 0.5 },
  'three-128 sine': { served: 0.48, dropping: 0.98 },
  'three-572 sine': { served: 0.4 },
};

const CHOSEN = 'planner';

const noiseless = { noise: 0 } as const;

/** The figures with targets and, without targets, those of every other policy on the same arrivals. */
export async function* tableFigures(experiment: Experiment, seeds: number): AsyncIterable<Figure> {
  for (const [name, [min, max]] of Object.entries(bars)) {
    const [settingName = '', load = ''] = name.split(' ');
    const setting = settingOf(settingName);
    const at = { setting, load, ...noiseless };
    const chosen = await experiment.each({ ...at, policy: CHOSEN, drops: true }, seeds);
    yield figure(`${settingName}-${load}`, mean(chosen.map(({ fraction }) => fraction)), 'of bound', { min });
    yield figure(`${settingName}-${load}-missed`, mean(chosen.map(({ missed }) => missed)), 'of all', { max });
    for (const other of others) yield otherFigure(name, other, await experiment.each({ ...at, ...other }, seeds));
  }
  yield await gain(experiment, seeds);
  yield* overload(experiment, seeds);
  yield* noise(experiment, seeds);
}

function otherFigure(
  name: string,
  { policy, drops }: { policy: string; drops: boolean },
  runs: readonly MeasuredPolicy[],
): Figure {
  const missed = mean(runs.map((run) => run.missed)).toFixed(3);
  const note = `${drops ? 'dropping' : 'all served'}; missed ${missed}`;
  const value = mean(runs.map(({ fraction }) => fraction));
  const bars = policy === 'actor-critic' ? learnedBars[name] : undefined;
  const min = drops ? bars?.dropping : bars?.served;
  return {
    ...figure(`${name.replace(' ', '-')}-${policy}`, value, 'of bound', min === undefined ? {} : { min }),
    note,
  };
}

/** Gain over asynchronous serving with dropping, as a share of its distance to the bound. */
async function gain(experiment: Experiment, seeds: number): Promise<Figure> {
  const at = { setting: settingOf('three-128'), load: 'sine', drops: true, ...noiseless };
  const [chosen, async] = [
    await experiment.each({ ...at, policy: CHOSEN }, seeds),
    await experiment.each({ ...at, policy: 'async' }, seeds),
  ];
  const gains = chosen.map(
    ({ fraction }, i) => (fraction - (async[i]?.fraction ?? 0)) / (1 - (async[i]?.fraction ?? 0)),
  );
  return figure('three-128-sine-gain', mean(gains), 'of gap', { min: 0.75 });
}

async function* overload(experiment: Experiment, seeds: number): AsyncIterable<Figure> {
  for (const setting of ['single', 'three-572'].map(settingOf)) {
    for (const load of ['steady-1.2', 'steady-1.5']) {
      const runs = await experiment.each({ setting, load, policy: CHOSEN, drops: true, ...noiseless }, seeds);
      yield figure(`${setting.name}-${load}`, mean(runs.map(({ fraction }) => fraction)), 'of bound', { min: 0.99 });
      const beyond = mean(runs.map(({ missed, boundMissed }) => missed - boundMissed));
      yield figure(`${setting.name}-${load}-missed`, beyond, 'more', { max: 0.01 });
    }
  }
}

async function* noise(experiment: Experiment, seeds: number): AsyncIterable<Figure> {
  for (const setting of settings) {
    for (const [noise, max] of [
      [0, 0],
      [0.05, 0.005],
      [0.1, 0.005],
    ] as const) {
      const runs = await experiment.each({ setting, load: 'sine', policy: CHOSEN, drops: true, noise }, seeds);
      const share = mean(runs.map(({ overdueShare }) => overdueShare));
      yield figure(`${setting.name}-noise-${noise}`, share, 'overdue', { max });
    }
  }
}

/** The paper's claims in its own setting, nothing dropped: RL compared with greedy, difference and 95 % interval over seeds. */
export async function* claimFigures(experiment: Experiment, seeds: number): AsyncIterable<Figure> {
  for (const setting of settings) {
    const at = { setting, load: 'sine', drops: false, ...noiseless };
    const learned = await experiment.each({ ...at, policy: 'actor-critic' }, seeds);
    const greedy = await experiment.each({ ...at, policy: 'greedy' }, seeds);
    for (const phase of ['high', 'low'] as const) {
      for (const what of ['accuracy', 'missed'] as const) {
        const differences = learned.map((run, i) => run[phase][what] - (greedy[i]?.[phase][what] ?? 0));
        const values = `RL ${mean(learned.map((run) => run[phase][what])).toFixed(4)}, greedy ${mean(greedy.map((run) => run[phase][what])).toFixed(4)}`;
        const name = `${setting.name}-claim-${phase}-${what}`;
        const note = `RL − greedy ± ${halfInterval(differences).toFixed(4)}; ${values}`;
        yield { ...figure(name, mean(differences), 'difference', {}), note };
      }
    }
  }
}

export function figure(
  name: string,
  value: number,
  unit: string,
  { min, max }: { min?: number; max?: number },
): Figure {
  const bar = min ?? max;
  const ok = min !== undefined ? value >= min : max !== undefined ? value <= max : null;
  return { bench: 'serving', name, value, unit, ...(bar === undefined ? {} : { bar }), ok };
}

function settingOf(name: string): Setting {
  const found = settings.find((setting) => setting.name === name);
  if (found === undefined) throw new RangeError(`there is no setting "${name}"`);
  return found;
}
