import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import type { Figure } from '../figure.ts';
import { loadTable } from '../study/load.ts';
import { type DataName, dataSets } from '../zoo/data.ts';

export interface RealOptions {
  data: DataName;
  family: string;
  /** JSON. */
  knobs: string;
  seed: number;
  workers: number;
}

/** Time of one worker with one thread divided by that of several with one thread each: for two workers. */
const BAR = 1.6;
const MAX_EXCHANGE = 0.1;
/** Bytes that a worker sends and receives in a round, as a multiple of the model's. */
const MAX_BYTES = 2;
const LOOK_MS = 1_000;
/** A score may be lower by this, or by its standard error. */
const MAX_LOSS = 0.01;

interface WatchedTrial {
  /** Of each epoch: the score, and seconds since the start. A trial may be stopped before its last epoch. */
  epochs: { score: number; seconds: number }[];
  /** Of each worker, in the order of their processes; the medians of the rounds that were seen. */
  rowsPerSecond: number[];
  /** Share of the leading worker's time, the median. */
  exchange: number;
  rounds: number;
  /** Of the files of the newest round: the weights that it starts from, and a change. */
  roundBytes: number;
  modelBytes: number;
  /** Rows that it trains and is scored on. */
  trained: number;
  validated: number;
}

/** One trial over SQL on this machine: by one worker, by several with a thread each, and by one with as many threads. */
export async function* realRounds(options: RealOptions): AsyncIterable<Figure> {
  const { workers, data, family } = options;
  const alone = await train(options, { workers: 1, threads: 1 });
  const together = await train(options, { workers, threads: 1 });
  const threads = await train(options, { workers: 1, threads: workers });
  const figure = (name: string, value: number, more: Partial<Figure> = {}): Figure => ({
    ...{ bench: 'joint', name: `${family}-${data}-${name}`, value: Number(value.toPrecision(4)), unit: '', ok: null },
    ...more,
  });
  const epochs = Math.min(...[alone, together, threads].map((each) => each.epochs.length));
  const [one, many, threaded] = [alone, together, threads].map((each) => each.epochs[epochs - 1]);
  if (one === undefined || many === undefined || threaded === undefined) throw new Error('a trial has no epoch');
  const error = Math.sqrt((one.score * (1 - one.score)) / alone.validated);
  yield figure('alone', one.seconds, { unit: 's', note: `${epochs} epochs` });
  yield figure('threads', threaded.seconds, { unit: 's', note: `one worker with ${workers} threads` });
  yield figure('together', many.seconds, { unit: 's', note: `${workers} workers with one thread each` });
  const speedUp = one.seconds / many.seconds;
  yield figure('speed-up', speedUp, { bar: BAR, ok: speedUp >= BAR });
  yield figure('speed-up-threads', one.seconds / threaded.seconds);
  yield figure('score', many.score, {
    ...{ peer: 'alone', peerValue: one.score, ratio: many.score / one.score },
    ok: one.score - many.score <= Math.max(error, MAX_LOSS * one.score),
    note: `standard error ${error.toFixed(3)}; with threads ${threaded.score.toFixed(3)}`,
  });
  const rowsAlone = (alone.trained * epochs) / one.seconds;
  yield figure('worker-alone', rowsAlone, { unit: 'rows/s', note: 'with validation' });
  for (const [seat, rows] of together.rowsPerSecond.entries()) {
    yield figure(`worker-${seat + 1}`, rows, { unit: 'rows/s', note: 'while it trains' });
  }
  yield figure('exchange', together.exchange, { bar: MAX_EXCHANGE, ok: together.exchange <= MAX_EXCHANGE });
  yield figure('rounds', together.rounds);
  const bytes = together.roundBytes / together.modelBytes;
  const mb = (size: number): string => (size / 1e6).toFixed(2);
  yield figure('bytes', bytes, {
    unit: '× model',
    ...{ bar: MAX_BYTES, ok: bytes <= MAX_BYTES },
    note: `${mb(together.roundBytes)} MB of a worker and round, of ${mb(together.modelBytes)} MB`,
  });
}

async function train(
  { data, family, knobs, seed }: RealOptions,
  { workers, threads }: { workers: number; threads: number },
): Promise<WatchedTrial> {
  const rafiki = await rafikiUp({ args: ['--workers', String(workers), '--threads', String(threads)] });
  try {
    const { db } = rafiki;
    await loadTable(db, 'examples', data, 'train');
    await db.query(
      `select rafiki_train($1, 'examples', families => array[$2], knobs => $3::jsonb, max_trials => 1,
         max_time => '60 min', workers_per_trial => $4, seed => $5)`,
      [dataSets[data].task, family, knobs, workers, seed],
    );
    return await watch(rafiki);
  } finally {
    await rafiki.stop();
  }
}

/** Looks at the trial until it has ended. */
async function watch({ db, admin, dataDir }: RunningRafiki): Promise<WatchedTrial> {
  const speeds = new Map<number, number[]>();
  const shares: number[] = [];
  const sizes: number[] = [];
  let rounds = 0;
  let modelBytes = 0;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const team = await db.query<{
      process: number;
      rows: number | null;
      exchange: number | null;
      rounds: number | null;
    }>(`select process::int, rows_per_s::float8 as rows, exchange::float8, rounds from rafiki.trial_workers`);
    for (const { process, rows, exchange, rounds: number } of team) {
      if (rows !== null) speeds.set(process, [...(speeds.get(process) ?? []), rows]);
      if (exchange !== null) shares.push(exchange);
      rounds = Math.max(rounds, number ?? 0);
    }
    const files = sizesOfRound(dataDir);
    if (files.length > 1) sizes.push(Math.max(...files)); // the weights are sent to each worker, and its change back
    modelBytes = Math.max(modelBytes, ...files); // the first round has all weights
    const [ended] = await admin.query<{ rows: number; validated: number }>(
      `select e.rows, round(e.rows * s.validation)::int as validated
       from rafiki.study s, (select count(*)::int as rows from examples) e where s.ended_at is not null`,
    );
    if (ended === undefined) continue;
    const epochs = await admin.query<WatchedTrial['epochs'][number]>(
      'select score, seconds from rafiki.report order by epoch',
    );
    const rowsPerSecond = [...speeds].sort(([a], [b]) => a - b).map(([, seen]) => median(seen));
    return {
      ...{ epochs, rowsPerSecond, exchange: median(shares), rounds, validated: ended.validated },
      trained: ended.rows - ended.validated,
      ...{ roundBytes: 2 * median(sizes), modelBytes },
    };
  }
}

/** Bytes of the files that the workers of the trial exchange. */
function sizesOfRound(dataDir: string): number[] {
  const folder = path.join(dataDir, 'cache/rounds');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.flatMap((name) => {
    const found = statSync(path.join(folder, name), { throwIfNoEntry: false });
    return found?.isFile() === true ? [found.size] : [];
  });
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
};
