import type { Figure } from '../figure.ts';
import { draw } from '../plot.ts';

export const modes = ['study', 'costudy'] as const;
export const advisorNames = ['random', 'bayesian'] as const;
type Mode = (typeof modes)[number];

/** How a trial of a measured study ended. */
export interface CostudyRow {
  mode: string;
  advisor: string;
  seed: number;
  spent: number;
  score: number;
}

/** Of the seeds that all kinds of study have: after an interrupted run one kind may lack some. */
export const comparable = (rows: readonly CostudyRow[]): CostudyRow[] =>
  rows.filter(({ seed }) =>
    modes.every((mode) =>
      advisorNames.every((name) => rows.some((row) => row.seed === seed && row.mode === mode && row.advisor === name)),
    ),
  );

/** Best score, and how many trials are among the best quarter of both kinds of study. */
export function* compare(data: string, rows: readonly CostudyRow[]): Iterable<Figure> {
  const seeds = [...new Set(rows.map(({ seed }) => seed))];
  const of = (mode: Mode, advisor: string, seed?: number): CostudyRow[] =>
    rows.filter((row) => row.mode === mode && row.advisor === advisor && (seed === undefined || row.seed === seed));
  const bests = (mode: Mode, advisor: string): number[] =>
    seeds.map((seed) => Math.max(...of(mode, advisor, seed).map(({ score }) => score)));
  for (const advisor of advisorNames) {
    const name = `costudy-${data}-${advisor}`;
    yield {
      ...compared(bests('costudy', advisor), bests('study', advisor)),
      name: `${name}-best`,
      peer: 'study',
    };
    const pooled = [...of('study', advisor), ...of('costudy', advisor)].map(({ score }) => score).sort((a, b) => b - a);
    const bar = pooled[Math.floor(pooled.length / 4)] ?? 0;
    const among = (mode: Mode): number => of(mode, advisor).filter(({ score }) => score > bar).length;
    const [own, other] = [among('costudy'), among('study')];
    yield {
      bench: 'tuning',
      name: `${name}-top`,
      value: own,
      unit: 'trials',
      peer: 'study',
      peerValue: other,
      ratio: other === 0 ? null : own / other,
      ok: own > other,
      note: 'in the best quarter of all',
    };
  }
  for (const mode of modes) {
    yield {
      ...compared(bests(mode, 'bayesian'), bests(mode, 'random')),
      name: `${mode}-${data}-bayesian`,
      peer: 'random',
    };
  }
}

/** Best scores of the same seeds: their means, and the interval of the difference. */
function compared(own: readonly number[], other: readonly number[]): Omit<Figure, 'name' | 'peer'> {
  const [value, peerValue] = [interval(own).mean, interval(other).mean];
  const gain = interval(own.map((best, i) => best - (other[i] as number)));
  const note = `best score, mean of ${own.length} seeds; gain ${gain.mean.toFixed(4)} ± ${gain.half.toFixed(4)} (95 %)`;
  return { bench: 'tuning', value, unit: '', peerValue, ratio: value / peerValue, ok: gain.mean > 0, note };
}

/** Best score so far against epochs spent, mean and 95 % interval over the seeds. */
export function plot(data: string, epochs: number, rows: readonly CostudyRow[]): void {
  const seeds = [...new Set(rows.map(({ seed }) => seed))];
  const curves = advisorNames.flatMap((advisor) =>
    modes.map((mode) => {
      const own = rows.filter((row) => row.mode === mode && row.advisor === advisor);
      const points = Array.from({ length: 17 }, (_, i) => Math.round((epochs * i) / 16)).flatMap((spent) => {
        const reached = seeds
          .map((seed) => own.filter((row) => row.seed === seed && row.spent <= spent).map(({ score }) => score))
          .filter((scores) => scores.length > 0);
        if (reached.length < seeds.length) return [];
        const { mean, half } = interval(reached.map((scores) => Math.max(...scores)));
        return [{ x: spent, y: mean, low: mean - half, high: mean + half }];
      });
      return { name: `${mode === 'study' ? 'Study' : 'CoStudy'}, ${advisor}`, points };
    }),
  );
  draw(`costudy/${data}.svg`, {
    title: `${data}: best validation score`,
    x: 'epochs trained in all',
    y: 'accuracy',
    curves,
  });
}

/** Student's t for a two-sided 95 % interval by degrees of freedom. */
const t95 = [Number.NaN, 12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14];

function interval(values: readonly number[]): { mean: number; half: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count - 1);
  return { mean, half: count < 2 ? 0 : (t95[count - 1] ?? 2.1) * Math.sqrt(variance / count) };
}
