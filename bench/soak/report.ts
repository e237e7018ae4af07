import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import type { Accounts } from '../load/accounts.ts';
import type { Outcomes } from '../load/outcomes.ts';
import { type Point, type Trend, trendOf } from '../load/trend.ts';
import { draw } from '../plot.ts';
import { experimentsDir } from '../results.ts';
import { isHistory, isJudged, type Moment } from './sampling.ts';

/** A moment, and when it was. */
export interface TimedMoment {
  seconds: number;
  moment: Moment;
}

export interface SoakResult {
  minutes: number;
  moments: readonly TimedMoment[];
  outcomes: Outcomes;
  accounts: Accounts;
  kills: number;
  command: string;
}

const MB = 'MB';
/** Curves that a plot can tell apart. */
const COLOURS = 6;

function pointsOf(moments: readonly TimedMoment[], series: string): Point[] {
  return moments.flatMap(({ seconds, moment }) => {
    const value = moment[series];
    return value === null || value === undefined ? [] : [{ x: seconds, y: value }];
  });
}

export function trends({ moments }: Pick<SoakResult, 'moments'>): Map<string, Trend> {
  const series = Object.keys(moments[0]?.moment ?? {});
  return new Map(
    series.flatMap((each) => {
      const points = pointsOf(moments, each);
      return points.length < 10 ? [] : [[each, trendOf(points)] as const];
    }),
  );
}

/** Draws the series, and writes down what they say. */
export function report(result: SoakResult): void {
  const all = Object.keys(result.moments[0]?.moment ?? {});
  const plot = (file: string, title: string, y: string, series: readonly string[]): void => {
    const curves = series.map((name) => ({
      name,
      points: pointsOf(result.moments, name).map((point) => ({ x: point.x / 60, y: point.y })),
    }));
    draw(file, { title, x: 'minutes', y, curves: curves.filter(({ points }) => points.length > 1) });
  };
  const ours = ['up', 'serving', 'coordinator', 'worker', 'backend'];
  plot(
    'soak-memory.svg',
    'Memory of a process of each kind',
    MB,
    ours.map((kind) => `${kind}_memory_mb`),
  );
  plot('soak-files.svg', 'Open files of a process of each kind, and connections', '', [
    ...ours.map((kind) => `${kind}_files`),
    'connections',
  ]);
  const tables = all.filter((series) => series.startsWith('rows_') && !isHistory(series));
  const spread = (series: string): number => {
    const values = pointsOf(result.moments, series).map(({ y }) => y);
    return Math.max(...values) - Math.min(...values);
  };
  const moving = tables.sort((a, b) => spread(b) - spread(a)).slice(0, COLOURS);
  plot('soak-rows.svg', 'Rows of the tables that change most, without the history of studies', '', moving);
  plot('soak-disk.svg', 'Disk', MB, ['data_mb', 'wal_mb', 'cache_mb']);
  writeFileSync(path.join(experimentsDir, 'soak.md'), text(result));
}

function text(result: SoakResult): string {
  const { minutes, outcomes, accounts, kills, command } = result;
  const rows = [...trends(result)].filter(([series, { median }]) => isJudged(series) && median > 0).map(row);
  const history = [...trends(result)].filter(([series]) => isHistory(series));
  return `# Soak: ${minutes} minutes of mixed load

\`${command}\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.versions.node}.
Short trainings one after another, predictions from four sessions (single, array, scan, attached inserts), deploys, rollbacks and
drops of models; ${kills} kills of random processes (\`kill -9\`, Postgres's among them) in every other quarter of an hour.

- ${outcomes.total} calls. ${outcomes.describe()}.
- Wrong answers: ${outcomes.wrong.length}. Sessions that kept failing: ${outcomes.stuck.length}. Errors that are never allowed, or not while all processes run: ${outcomes.unexpected.length}.
- ${accounts.studies} studies, ${accounts.trials} trials, of them ${accounts.failedTrials} given up after three attempts. Inconsistencies: ${accounts.faults.length === 0 ? 'none' : accounts.faults.join('; ')}.

After the first tenth of the time: the median of the slopes between any two points (Theil-Sen), times the duration, against the
interquartile range about that line. "ok" is growth within that range, or within a hundredth of the median.

| series | median | drift | noise | |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

The history grows with every study, and is not checked:
${history.map(([series, { drift }]) => `${series} ${(drift / Math.max(1, accounts.studies)).toFixed(1)} a study`).join(', ')}.
All samples: [soak.csv](soak.csv).

![memory](soak-memory.svg)
![files](soak-files.svg)
![rows](soak-rows.svg)
![disk](soak-disk.svg)
`;
}

const row = ([series, { median, drift, noise, ok }]: [string, Trend]): string =>
  `| ${series} | ${short(median)} | ${short(drift)} | ${short(noise)} | ${ok ? 'ok' : 'grows'} |`;

const short = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));
