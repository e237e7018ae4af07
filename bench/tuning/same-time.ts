import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { splitRows } from '../../src/datasets/split.ts';
import type { DataSet, Examples } from '../../src/domain/task.ts';
import { tableRows } from '../../src/features/ngrams.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { temporalCnn } from '../../src/models/text/temporal-cnn.ts';
import { eventually, type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import type { Figure } from '../figure.ts';
import { draw } from '../plot.ts';
import { PythonProcess } from '../python-process.ts';
import { KeptResults, type Results } from '../results.ts';
import { loadTable } from '../study/load.ts';
import { howToGetPeer } from './peer.ts';

const VALIDATION = 0.2;
/** What is not tuned: the words that both sides get. */
const FIXED = { subwords: false, max_tokens: 128, min_texts: 1 };
const [OURS, PEER] = ['rafiki', 'optuna-pytorch'] as const;
const script = fileURLToPath(new URL('./same_time.py', import.meta.url));
const POINTS = 16;

/** Seconds since a study began, and a validation score that none before had reached. */
type Better = [seconds: number, score: number];

export interface SameTimeOptions {
  minutes: number;
  seeds: number;
}

/**
 * A temporal CNN on the MR sentences, tuned for the same wall time with the same knobs and rows: by a study over SQL with two
 * workers, and by Optuna's TPE with successive halving over PyTorch with two threads, one after the other.
 */
export async function* sameTimeBench({ minutes, seeds }: SameTimeOptions): AsyncIterable<Figure> {
  const results = new KeptResults(`same-time/mr-${minutes}.csv`, ['tuner', 'seed', 'seconds', 'score']);
  await measure(results, { minutes, seeds });
  const curves = new Map([OURS, PEER].map((tuner) => [tuner, curvesOf(results, tuner, seeds)]));
  const [ours = [], peers = []] = [curves.get(OURS), curves.get(PEER)];
  if (ours.length === 0) return;
  const seconds = 60 * minutes;
  const final = peers.length === 0 ? null : mean(peers, seconds);
  for (const [name, share] of [
    ['half', 0.5],
    ['end', 1],
  ] as const) {
    const value = mean(ours, share * seconds);
    yield {
      bench: 'tuning',
      name: `same-time-mr-${name}`,
      value,
      unit: '',
      peer: PEER,
      peerValue: final,
      ratio: final === null ? null : value / final,
      ...(share < 1 ? { bar: 1 } : {}),
      ok: final === null || share === 1 ? null : value >= final,
      note:
        final === null
          ? howToGetPeer
          : `best score after ${share * minutes} min, the peer's after ${minutes}; mean of ${ours.length} seeds`,
    };
  }
  plot(curves, minutes);
}

async function measure(results: Results, { minutes, seeds }: SameTimeOptions): Promise<void> {
  const all = Array.from({ length: seeds }, (_, i) => i + 1);
  const missing = (tuner: string): number[] => all.filter((seed) => !results.has(tuner, seed));
  const keep = (tuner: string, seed: number, better: readonly Better[]): void =>
    results.add(...better.map(([seconds, score]) => [tuner, seed, seconds.toFixed(1), score.toFixed(4)]));
  if (missing(OURS).length + missing(PEER).length === 0) return;
  const rafiki = await rafikiUp({ args: ['--workers', '2'] });
  const peer = await startPeer(rafiki);
  try {
    for (const seed of all) {
      if (!results.has(OURS, seed)) keep(OURS, seed, await runStudy(rafiki, { minutes, seed }));
      if (peer !== null && !results.has(PEER, seed)) {
        keep(PEER, seed, JSON.parse(await peer.ask(`${60 * minutes} ${seed}`)) as Better[]);
      }
    }
  } finally {
    peer?.stop();
    await rafiki.stop();
  }
}

/** The peer with the same training and validation rows, in our encoder's numbering of words. */
async function startPeer({ db }: RunningRafiki): Promise<PythonProcess | null> {
  await loadTable(db, 'mr', 'mr', 'train');
  const rows = await db.query<{ label: string; input: string }>('select label, input from mr');
  const data = splitRows(rows, { task: 'sentiment', validation: VALIDATION });
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-same-time-'));
  try {
    const file = path.join(dir, 'data.json');
    writeFileSync(file, JSON.stringify(await encoded(data)));
    return await PythonProcess.start(script, [file]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

interface EncodedPart {
  ids: number[][];
  labels: number[];
}

async function encoded({ classes, train, valid }: DataSet): Promise<Record<string, unknown>> {
  const features = await temporalCnn.fit(
    { ...train, classes },
    { ...temporalCnn.space('sentiment').initial(), ...FIXED },
  );
  const encoder = createEncoder(features);
  const part = async ({ inputs, labels }: Examples): Promise<EncodedPart> => {
    const rows = await encoder.prepare(inputs);
    const ids = inputs.map((_, row) => {
      const padded = rows.batch(Int32Array.of(row))['ids']?.data;
      return padded instanceof Int32Array ? Array.from(padded.subarray(0, rows.length(row))) : [];
    });
    return { ids, labels: labels instanceof Int32Array ? Array.from(labels) : [] };
  };
  return { classes: classes.length, rows: tableRows(features), train: await part(train), valid: await part(valid) };
}

async function runStudy(
  { db }: RunningRafiki,
  { minutes, seed }: { minutes: number; seed: number },
): Promise<Better[]> {
  const id = await db.transaction(async (tx) => {
    await tx.query('set local rafiki.terminator = off');
    const [study] = await tx.query<{ id: number }>(
      `select rafiki_train('sentiment', 'mr', model => $1, families => '{temporal_cnn}', knobs => $2, max_trials => 1000,
         max_time => $3 * interval '1 min', validation => $4, seed => $5, deploy => false) as id`,
      [`same_time_${seed}`, FIXED, minutes, VALIDATION, seed],
    );
    return study?.id ?? 0;
  });
  await eventually(
    async () => (await db.query('select from rafiki.study where id = $1 and ended_at is not null', [id]))[0],
    (minutes + 3) * 60_000,
  );
  const reports = await db.query<{ seconds: number; score: number }>(
    `select extract(epoch from r.created_at - s.created_at)::float8 as seconds, r.score
     from rafiki.report r join rafiki.trial t on t.id = r.trial_id join rafiki.study s on s.id = t.study_id
     where s.id = $1 order by r.created_at`,
    [id],
  );
  const inTime = reports.filter(({ seconds }) => seconds <= 60 * minutes);
  return inTime.flatMap(({ seconds, score }, i) =>
    inTime.slice(0, i).every((before) => before.score < score) ? [[seconds, score] as Better] : [],
  );
}

/** The score of each seed; none if one is missing. */
function curvesOf(results: Results, tuner: string, seeds: number): Better[][] {
  const curves = Array.from({ length: seeds }, (_, i) =>
    results.rows
      .filter((row) => row[0] === tuner && Number(row[1]) === i + 1)
      .map(([, , seconds, score]): Better => [Number(seconds), Number(score)]),
  );
  return curves.every((curve) => curve.length > 0) ? curves : [];
}

const bestAt = (curve: readonly Better[], seconds: number): number =>
  Math.max(0, ...curve.filter(([at]) => at <= seconds).map(([, score]) => score));

const mean = (curves: readonly Better[][], seconds: number): number =>
  curves.reduce((sum, curve) => sum + bestAt(curve, seconds), 0) / curves.length;

function plot(curves: ReadonlyMap<string, Better[][]>, minutes: number): void {
  const times = Array.from({ length: POINTS }, (_, i) => (60 * minutes * (i + 1)) / POINTS);
  draw(`same-time/mr-${minutes}.svg`, {
    title: `MR, temporal CNN, two cores: best validation score`,
    x: 'seconds',
    y: 'accuracy',
    curves: [...curves]
      .filter(([, own]) => own.length > 0)
      .map(([name, own]) => ({
        name,
        points: times.flatMap((x) => (mean(own, x) > 0.5 ? [{ x, y: mean(own, x) }] : [])),
      })),
  });
}
