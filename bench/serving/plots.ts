import { createRng } from '../../src/runtime/rng.ts';
import { draw } from '../plot.ts';
import { leaving, simulatedPolicy } from './policies.ts';
import { simulate } from './simulator.ts';
import { mean } from './statistics.ts';
import { arrivalsOf, type Setting, settings } from './workloads.ts';

const WINDOW = 25;
const SEED = 1;

const curves = [
  { policy: 'greedy', drops: false },
  { policy: 'actor-critic', drops: false },
  { policy: 'actor-critic', drops: true },
  { policy: 'planner', drops: true },
];

/** How accuracy and misses move over two cycles of the sine, as the paper shows them. */
export function drawSines(): void {
  for (const setting of settings) {
    const runs = curves.map((curve) => ({ name: nameOf(curve), windows: windowsOf(setting, curve) }));
    const plot = (what: 'missed' | 'accuracy', y: string): void =>
      draw(`serving/sine-${setting.name}-${what}.svg`, {
        title: `${setting.name}: sine, seed ${SEED}`,
        x: 'time, τ',
        y,
        curves: runs.map(({ name, windows }) => ({
          name,
          points: windows.flatMap((window, i) =>
            Number.isFinite(window[what]) ? [{ x: i * WINDOW, y: window[what] }] : [],
          ),
        })),
      });
    plot('missed', 'share missed');
    if (setting.fleet.members > 1) plot('accuracy', 'accuracy of the answers');
  }
}

const nameOf = ({ policy, drops }: { policy: string; drops: boolean }): string =>
  drops ? `${policy}, dropping` : `${policy}, all served`;

function windowsOf(
  setting: Setting,
  { policy, drops }: { policy: string; drops: boolean },
): { missed: number; accuracy: number }[] {
  const { fleet, budgetMs } = setting;
  const windows: TimeWindow[] = [];
  simulate({
    fleet,
    budgetMs,
    arrivals: arrivalsOf(setting, 'sine', SEED),
    policy: (known) => simulatedPolicy(policy).create({ fleet: known, seed: SEED, ...leaving(drops) }),
    drops,
    noise: 0,
    rng: createRng(SEED),
    onAnswer(ms, { accuracy, isLate }) {
      const place = Math.floor(ms / (WINDOW * budgetMs));
      const window = windows[place] ?? { late: [], accuracies: [] };
      windows[place] = window;
      window.late.push(isLate ? 1 : 0);
      if (accuracy > 0) window.accuracies.push(accuracy);
    },
  });
  return windows.map(({ late, accuracies }) => ({
    missed: mean(late),
    accuracy: accuracies.length === 0 ? Number.NaN : mean(accuracies),
  }));
}

interface TimeWindow {
  late: number[];
  accuracies: number[];
}
