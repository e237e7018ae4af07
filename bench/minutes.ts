import { InvalidParameter } from '../src/errors/errors.ts';
import type { Figure } from './figure.ts';
import { draw } from './plot.ts';
import { KeptResults } from './results.ts';
import { trainedStudy } from './study.ts';
import { type DataName, dataSets, isDataName } from './zoo/data.ts';

export interface MinutesOptions {
  data?: string | undefined;
  seeds?: string | undefined;
  /** Of the data set's times only these, in minutes. */
  minutes?: string | undefined;
}

interface MinutesCase {
  minutes: readonly number[];
  /** Trained alone for comparison: those that could be the best one. */
  families: readonly string[];
  /** The first one is compared. */
  metrics: readonly [string, ...string[]];
  /** Of a family alone: one network takes all the time, or trials are tried for as long. */
  maxTrials?: number;
}

const images = { metrics: ['accuracy'], maxTrials: 1 } as const;
const boxes = { metrics: ['map50', 'ap75'], maxTrials: 1, families: ['yolo', 'ssd'] } as const;
const texts = {
  metrics: ['accuracy'],
  minutes: [1, 4],
  families: ['linear_text', 'fasttext', 'temporal_cnn'],
} as const;

const grid: Record<DataName, MinutesCase> = {
  cifar10: { ...images, minutes: [5, 10, 20, 40], families: ['resnet', 'vgg'] },
  fruit: { ...boxes, minutes: [5, 15] },
  raccoon: { ...boxes, minutes: [5, 8] },
  mr: texts,
  trec: texts,
};

const STUDY = 'study';

/**
 * How good a model is that a study with default settings deploys after so many minutes, on held-out rows, compared with one family that has
 * all the time and all cores. Takes hours; what is in the results already is not measured again.
 */
export async function* minutesBench({ data, seeds = '2', minutes: only }: MinutesOptions): AsyncIterable<Figure> {
  if (data === undefined || !isDataName(data)) {
    throw new InvalidParameter('bench minutes takes --data', {
      hint: `Data sets: ${Object.keys(dataSets).join(', ')}.`,
    });
  }
  const { families, metrics: names, maxTrials, ...all } = grid[data];
  const minutes = only === undefined ? all.minutes : only.split(',').map(Number);
  const kept = new KeptResults(`minutes/${data}.csv`, ['trained', 'minutes', 'seed', ...names, 'rows']);
  for (let seed = 1; seed <= Number(seeds); seed++) {
    for (const time of minutes) {
      for (const trained of [STUDY, ...families]) {
        if (kept.has(trained, time, seed)) continue;
        const limit = maxTrials === undefined ? '' : `, max_trials => ${maxTrials}`;
        const options = trained === STUDY ? '' : `, families => '{${trained}}'${limit}`;
        const { metrics } = await trainedStudy(data, `max_time => '${time} min', seed => ${seed}${options}`);
        kept.add([trained, time, seed, ...[...names, 'rows'].map((name) => metrics[name] ?? 0)]);
        drawCurves(data, kept);
      }
    }
  }
  for (const time of minutes) yield figureOf(kept, { data, time, families });
}

const scoresOf = ({ rows }: KeptResults, trained: string, time: number): number[] =>
  rows.filter(([name, at]) => name === trained && at === String(time)).map((row) => Number(row[3]));

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The study's mean score, and as its bar the best family's, less one standard error of a score. */
function figureOf(
  kept: KeptResults,
  { data, time, families }: { data: DataName; time: number; families: readonly string[] },
): Figure {
  const score = mean(scoresOf(kept, STUDY, time));
  const alone = Math.max(...families.map((family) => mean(scoresOf(kept, family, time))));
  const rows = Number(kept.rows[0]?.at(-1));
  const bar = alone - Math.sqrt((alone * (1 - alone)) / rows);
  const value = Number(score.toPrecision(4));
  const figure = { bench: 'minutes', name: `${data}-${time}-min`, value, unit: '', bar: Number(bar.toPrecision(4)) };
  return { ...figure, ok: score >= bar, note: `best family alone ${alone.toFixed(4)}` };
}

function drawCurves(data: DataName, kept: KeptResults): void {
  const {
    minutes,
    families,
    metrics: [metric],
  } = grid[data];
  const curves = [STUDY, ...families].map((name) => ({
    name: name === STUDY ? 'study, default settings' : `${name} alone`,
    points: minutes.flatMap((time) => {
      const scores = scoresOf(kept, name, time);
      return scores.length === 0
        ? []
        : [{ x: time, y: mean(scores), low: Math.min(...scores), high: Math.max(...scores) }];
    }),
  }));
  draw(`minutes/${data}.svg`, { title: `${data}: ${metric} on held-out rows`, x: 'minutes', y: metric, curves });
}
