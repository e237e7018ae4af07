import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InvalidParameter } from '../src/errors/errors.ts';
import type { Figure } from './figure.ts';
import type { FitRequest, FitResult } from './trees/fit.ts';
import { type Fitter, type Peer, peers, runTrial, startOwn, startPeer } from './trees/fitters.ts';
import { type TableFiles, type TableName, tableNames, writeSynthetic, writeTable } from './trees/tables.ts';

export interface TreesOptions {
  quick: boolean;
  /** One table instead of all, `synthetic`, or `trial`: one trial of a study of many rows, as its training process does it. */
  data?: string | undefined;
  /** Of the synthetic table, a tenth of them for testing; of the trial. */
  rows?: string | undefined;
  threads?: string | undefined;
  /** Processes that grow a forest from the synthetic table together, compared with one; nothing else is measured. */
  workers?: string | undefined;
}

/** Settings of the issue's peers, and those of the comparison of time. */
const tuned = { rounds: 200, learningRate: 0.05, rowShare: 0.8, columnShare: 0.8 };
const plain = { rounds: 100, learningRate: 0.1, rowShare: 1, columnShare: 1 };

const [timeBar, memoryBar, scoreBar] = [2, 1.5, 0.003];

/** Time of one worker as a multiple of that of two. */
const workersBar = 1.4;

/** MB of the process of a trial. */
const trialBar = 1000;

/** Gradient boosting compared with XGBoost and scikit-learn: same rows, same folds, same settings. */
export async function* treesBench({ quick, data, rows, threads = '1', workers }: TreesOptions): AsyncIterable<Figure> {
  if (data !== undefined && !['synthetic', 'trial', ...Object.keys(tableNames)].includes(data))
    throw new InvalidParameter(`there is no table "${data}"`, {
      hint: `Tables: ${Object.keys(tableNames).join(', ')}, synthetic, trial.`,
    });
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    if (data === 'trial') {
      yield* trialFigures(path.join(dir, 'rows'), { rows: Number(rows ?? '1000000'), threads: Number(threads) });
      return;
    }
    if (workers !== undefined) {
      const table = writeSynthetic(Number(rows ?? '1111112'), path.join(dir, 'synthetic'));
      yield* workersFigures(table, { dir, threads: Number(threads), workers: Number(workers) });
      return;
    }
    const all = Object.keys(tableNames) as TableName[];
    const names = all.filter((name) => data === undefined || name === data);
    const tables = names.map((name) => [name, writeTable(name, path.join(dir, name))] as const);
    for (const [name, table] of tables) yield* scoreFigures(name, table, quick ? 1 : table.folds);
    for (const [name, table] of tables) yield* exactFigures(name, table);
    for (const [name, table] of tables)
      if (name === 'adult') yield* costFigures(name, table, { threads: Number(threads), times: 3 });
    if (data !== 'synthetic' && (data !== undefined || quick)) return;
    const synthetic = writeSynthetic(Number(rows ?? '1111112'), path.join(dir, 'synthetic'));
    yield* costFigures('synthetic', synthetic, { threads: Number(threads), times: 1 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * The mean over the folds for each peer and pair of settings. Good enough is what is within the target, or less than two standard
 * errors of the folds' differences worse: small tables have folds of 40 rows.
 */
async function* scoreFigures(name: string, table: TableFiles, folds: number): AsyncIterable<Figure> {
  for (const [label, settings] of Object.entries({ tuned, plain })) {
    const requests = Array.from({ length: folds }, (_, fold) => ({ table, fold, threads: 1, ...settings }));
    const own = await fitAll(startOwn(), requests);
    for (const peer of Object.keys(peers) as Peer[]) {
      const fitter = await startPeer(peer, 1);
      const theirs = fitter && (await fitAll(fitter, requests));
      yield scoreFigure(`${name}-${label}`, table, { own, peer, theirs });
    }
  }
}

interface Compared {
  own: readonly FitResult[];
  peer: Peer;
  theirs: readonly FitResult[] | null;
}

function scoreFigure(name: string, table: TableFiles, { own, peer, theirs }: Compared): Figure {
  const isNumber = table.classes === 0;
  const value = mean(own.map(({ score }) => score));
  const unit = isNumber ? 'rmse' : 'accuracy';
  const bar = isNumber ? 1 + scoreBar : 1 - scoreBar;
  const figure = { bench: 'trees', name, value, unit, peer, bar };
  if (theirs === null) return { ...figure, ...missing(peer) };
  const peerValue = mean(theirs.map(({ score }) => score));
  const ratio = value / peerValue;
  const apart = own.map(({ score }, fold) => score - (theirs[fold]?.score as number));
  const note = [
    `difference ${mean(apart).toFixed(4)}${own.length > 1 ? ` ± ${standardError(apart).toFixed(4)}` : ''}`,
    ...(isNumber
      ? []
      : [
          `log loss ${mean(own.map((r) => r.logLoss)).toFixed(4)}, ${peer} ${mean(theirs.map((r) => r.logLoss)).toFixed(4)}`,
        ]),
  ].join('; ');
  const worse = isNumber ? mean(apart) : -mean(apart);
  const near = isNumber ? ratio <= bar : ratio >= bar;
  return { ...figure, peerValue, ratio, ok: near || worse <= 2 * standardError(apart), note };
}

/** The exported model against the trainer, for all rows; three runs on one and two threads. */
async function* exactFigures(name: string, table: TableFiles): AsyncIterable<Figure> {
  const fitter = startOwn();
  const results: FitResult[] = [];
  for (const threads of [1, 2, 1]) results.push(await fitter.fit({ table, fold: 0, threads, ...tuned, check: true }));
  fitter.stop();
  const value = Math.max(...results.map(({ difference = Number.NaN }) => difference));
  yield { bench: 'trees', name: `${name}-exported`, value, unit: 'apart', bar: 1e-6, ok: value <= 1e-6 };
  const hashes = new Set(results.map(({ hash }) => hash)).size;
  yield { bench: 'trees', name: `${name}-models`, value: hashes, unit: 'models', bar: 1, ok: hashes === 1 };
}

/** Time and memory of a fit in a process of its own, the quickest of several. */
async function* costFigures(
  name: string,
  table: TableFiles,
  { threads, times }: { threads: number; times: number },
): AsyncIterable<Figure> {
  const request = { table, fold: 0, threads, ...plain };
  const own = await quickest(async () => startOwn(), request, times);
  if (own === null) return;
  for (const peer of Object.keys(peers) as Peer[]) {
    const theirs = await quickest(() => startPeer(peer, threads), request, times);
    const label = `${name}-${threads}`;
    yield scoreFigure(`${label}-score`, table, { own: [own], peer, theirs: theirs && [theirs] });
    yield costFigure(`${label}-time`, 's', { peer, bar: timeBar, value: own.seconds, peerValue: theirs?.seconds });
    yield costFigure(`${label}-cpu`, 's', { peer, bar: timeBar, value: own.cpuSeconds, peerValue: theirs?.cpuSeconds });
    yield costFigure(`${label}-memory`, 'MB', { peer, bar: memoryBar, value: own.peakMb, peerValue: theirs?.peakMb });
  }
}

/** One process, then several that grow the same forest together, all with as many threads; from columns in memory to the model. */
async function* workersFigures(
  table: TableFiles,
  { dir, threads, workers }: { dir: string; threads: number; workers: number },
): AsyncIterable<Figure> {
  const request = { table, fold: 0, threads, ...plain, hashed: true };
  const [alone] = await fitAll(startOwn(), [request]);
  const folder = path.join(dir, 'rounds');
  mkdirSync(folder);
  const seats = Array.from({ length: workers }, (_, seat) => ({ folder, processId: seat === 0 ? null : seat }));
  const [together] = await Promise.all(
    seats.map(async (seat) => (await fitAll(startOwn(), [{ ...request, seat }]))[0]),
  );
  if (alone === undefined || together === undefined) return;
  const name = (what: string): string => `synthetic-${workers}-workers-${what}`;
  const figure = (what: string, value: number, unit: string): Figure => ({
    ...{ bench: 'trees', name: name(what), value, unit, ok: null },
  });
  yield { ...figure('time', together.seconds, 's'), peer: 'one', peerValue: alone.seconds };
  yield {
    ...figure('cpu', together.cpuSeconds, 's'),
    peer: 'one',
    peerValue: alone.cpuSeconds,
    note: 'of the leading one',
  };
  const speedUp = alone.seconds / together.seconds;
  const bar = workers === 2 ? { bar: workersBar, ok: speedUp >= workersBar } : {};
  yield { ...figure('speed-up', speedUp, ''), ...bar };
  const models = new Set([alone.hash, together.hash]).size;
  yield { ...figure('models', models, 'models'), bar: 1, ok: models === 1 };
}

/** A trial of fifty rounds on rows of 30 columns, from the data file to the model, with other processes for writing and for training. */
async function* trialFigures(
  file: string,
  { rows, threads }: { rows: number; threads: number },
): AsyncIterable<Figure> {
  const figure = (name: string, value: number, unit: string): Figure => ({
    ...{ bench: 'trees', name: `trial-${rows}-${threads}-${name}`, value, unit, ok: null },
  });
  const written = await runTrial({ file, rows });
  yield figure('write', written.seconds, 's');
  yield { ...figure('write-memory', written.peakMb, 'MB'), bar: trialBar, ok: written.peakMb <= trialBar };
  const { seconds, cpuSeconds, peakMb, score } = await runTrial({ file, threads, epochs: 5 });
  yield figure('time', seconds, 's');
  yield figure('cpu', cpuSeconds, 's');
  yield { ...figure('memory', peakMb, 'MB'), bar: trialBar, ok: peakMb <= trialBar };
  yield figure('accuracy', score, '');
}

interface Cost {
  peer: Peer;
  bar: number;
  value: number;
  peerValue: number | undefined;
}

function costFigure(name: string, unit: string, { peer, bar, value, peerValue }: Cost): Figure {
  const figure = { bench: 'trees', name, value, unit, peer, bar };
  if (peerValue === undefined) return { ...figure, ...missing(peer) };
  const ratio = value / peerValue;
  return { ...figure, peerValue, ratio, ok: peer === 'xgboost' ? ratio <= bar : null };
}

async function quickest(
  start: () => Promise<Fitter | null>,
  request: FitRequest,
  times: number,
): Promise<FitResult | null> {
  const results: FitResult[] = [];
  for (let time = 0; time < times; time++) {
    const fitter = await start();
    if (fitter === null) return null;
    results.push(await fitter.fit(request));
    fitter.stop();
  }
  return results.reduce((best, result) => (result.seconds < best.seconds ? result : best));
}

async function fitAll(fitter: Fitter, requests: readonly FitRequest[]): Promise<FitResult[]> {
  const results: FitResult[] = [];
  for (const request of requests) results.push(await fitter.fit(request));
  fitter.stop();
  return results;
}

const missing = (peer: Peer) => ({
  peerValue: null,
  ratio: null,
  ok: null,
  note: `no ${peer} on this machine: apt-get install ${peers[peer]}`,
});

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
