import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Database } from '../src/db/database.ts';
import type { Figure } from './figure.ts';
import { predictAll } from './predict/all.ts';
import { besideFigures } from './predict/beside.ts';
import { calls, hasPgbench, howToGetPgbench } from './predict/clients.ts';
import { explainFigures } from './predict/explain.ts';
import { compare, roundsOf } from './predict/measure.ts';
import { predictOne } from './predict/one-call.ts';
import { callParts } from './predict/parts.ts';
import { peerFigures } from './predict/peer.ts';
import { pretrainedFigures } from './predict/pretrained.ts';
import { profileFigures } from './predict/profile.ts';
import { besideRaw } from './predict/raw.ts';
import { accelerated, bulkForms, filtered, weak, wholeTables } from './predict/scans.ts';
import { models, type PredictStage, startStage } from './predict/stage.ts';
import { tableFigures } from './predict/tables.ts';

/** A synthetic accelerator: 2 ms a batch and 0.05 ms a row. */
const syntheticDevice = { RAFIKI_SYNTHETIC_DEVICE: '2+0.05' };

export interface PredictBenchOptions {
  quick: boolean;
  /** Only the comparison with PL/Python in the backend. */
  peer?: boolean | undefined;
  /** A clone: only the comparison of its build with ours. */
  beside?: string | undefined;
  /** Only rafiki_predict_all, on a million rows. */
  all?: boolean | undefined;
  /** Only where the microseconds of one call go. */
  parts?: boolean | undefined;
  /** Only rows of columns. */
  tables?: boolean | undefined;
  /** Only explanations of rows. */
  explain?: boolean | undefined;
  /** Only models on a pretrained encoder. */
  pretrained?: boolean | undefined;
  /** Only where the time of the cores goes with many clients. */
  profile?: boolean | undefined;
}

/** Predict calls from SQL, in every form, each compared with a lower bound or its naive form from the same run. */
export async function* predictBench({
  quick,
  peer = false,
  beside,
  all = false,
  parts = false,
  tables = false,
  explain = false,
  pretrained = false,
  profile = false,
}: PredictBenchOptions): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  const peerDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-peer-'));
  try {
    if (beside !== undefined) yield* besideClone(dataDir, peerDir, { clone: beside, quick });
    else if (all)
      yield* onStage(dataDir, {}, (stage) =>
        predictAll(stage, { rows: quick ? 100_000 : 1_000_000, rounds: quick ? 3 : 6 }),
      );
    else if (parts) yield* onStage(dataDir, {}, (stage) => callParts(stage, quick ? 10 : 40));
    else if (tables) yield* onStage(dataDir, {}, (stage) => tableFigures(stage, peerDir, quick));
    else if (explain) yield* onStage(dataDir, {}, (stage) => explainFigures(stage, quick));
    else if (pretrained) yield* onStage(dataDir, {}, (stage) => pretrainedFigures(stage, quick ? 2 : 4));
    else if (profile) yield* onStage(dataDir, {}, profileFigures);
    else if (peer) yield* onStage(dataDir, {}, (stage) => peerFigures(stage, peerDir, quick));
    else {
      yield* onStage(dataDir, {}, (stage) => cpuFigures(stage, quick));
      yield* onStage(dataDir, syntheticDevice, (stage) => syntheticFigures(stage, quick));
    }
  } finally {
    for (const dir of [dataDir, peerDir]) rmSync(dir, { recursive: true, force: true });
  }
}

async function* besideClone(
  dataDir: string,
  otherDir: string,
  { clone, quick }: { clone: string; quick: boolean },
): AsyncIterable<Figure> {
  const own = await startStage(dataDir, { ordinary: true });
  try {
    const other = await startStage(otherDir, { ordinary: true, clone });
    try {
      yield* besideFigures(own, other, quick);
    } finally {
      await other.stop();
    }
  } finally {
    await own.stop();
  }
}

async function* onStage(
  dataDir: string,
  env: NodeJS.ProcessEnv,
  measure: (stage: PredictStage) => AsyncIterable<Figure>,
): AsyncIterable<Figure> {
  const stage = await startStage(dataDir, { env });
  try {
    yield* measure(stage);
  } finally {
    await stage.stop();
  }
}

async function* cpuFigures({ session, admin, url }: PredictStage, quick: boolean): AsyncIterable<Figure> {
  const rounds = roundsOf(quick);
  yield* predictOne({ session, admin }, quick ? 10 : 40);
  yield* besideRaw({ session, admin }, rounds);
  yield* wholeTables(session, rounds);
  yield* bulkForms(session, rounds);
  yield await filtered(session);
  yield* weak(session, rounds);
  yield await clients(url, session, {
    name: 'predict-clients-32-cpu',
    model: models.temporal_cnn,
    seconds: quick ? 3 : 10,
    bar: 1.5,
    minBatch: 0,
  });
}

async function* syntheticFigures({ session, url }: PredictStage, quick: boolean): AsyncIterable<Figure> {
  yield await accelerated(session, quick ? 500 : 2000);
  yield await clients(url, session, {
    name: 'predict-clients-32',
    model: models.temporal_cnn,
    seconds: quick ? 3 : 10,
    bar: 8,
    minBatch: 8,
  });
}

interface ClientsOptions {
  name: string;
  model: string;
  seconds: number;
  bar: number;
  minBatch: number;
}

/** 32 sessions with single-row calls, compared with one session. */
async function clients(
  url: string,
  session: Database,
  { name, model, seconds, bar, minBatch }: ClientsOptions,
): Promise<Figure> {
  if (!(await hasPgbench()))
    return { bench: 'predict', name, value: 0, unit: 'calls/s', bar, ok: null, note: howToGetPgbench };
  const predict = (text: string): string => `rafiki_predict('${model}', ${text})`;
  const one = await calls(url, predict, { clients: 1, seconds });
  const before = await batches(session, model);
  const many = await calls(url, predict, { clients: 32, seconds });
  const after = await batches(session, model);
  const meanBatch = (after.rows - before.rows) / Math.max(1, after.batches - before.batches);
  const peer = { peer: 'one client', peerValue: one.perSecond };
  const figure = compare(name, { value: many.perSecond, unit: 'calls/s', ...peer, bar, min: true });
  return { ...figure, ok: figure.ok === true && meanBatch > minBatch, note: `mean batch ${meanBatch.toFixed(1)}` };
}

/** Rows and batches so far; serving writes them every two seconds. */
async function batches(session: Database, model: string): Promise<{ rows: number; batches: number }> {
  await session.query('select pg_sleep(2.5)');
  const [row] = await session.query<{ rows: number; batches: number }>(
    `select coalesce(sum(rows - cached), 0)::float8 as rows, coalesce(sum(batches), 0)::float8 as batches
     from rafiki.stat_predict where model = $1`,
    [model],
  );
  return row ?? { rows: 0, batches: 0 };
}
