import { readFileSync } from 'node:fs';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Figure } from '../figure.ts';
import { type Calls, calls, hasPgbench, howToGetPgbench } from './clients.ts';
import { compare, freshTable, median, roundsOf, settled, timed } from './measure.ts';
import { fillTexts, missingPeer, type PeerStage, startPeer } from './peer-stage.ts';
import { models, type PredictStage } from './stage.ts';

const ROWS = 10_000;
const CHECKED_ROWS = 1000;
const FIRST_CALLS = 5;
/** 32 sessions that import ONNX Runtime concurrently. */
const WARM_UP_S = 15;

/** A side of the comparison: its database, and how a text is predicted there. */
interface Side {
  url: string;
  session: Database;
  predict(model: string, text: string): string;
}

/** Compared with PL/Python with ONNX Runtime in the backend of PostgreSQL 17: same networks, same texts, in alternating rounds. */
export async function* peerFigures(stage: PredictStage, dataDir: string, quick: boolean): AsyncIterable<Figure> {
  const missing = missingPeer();
  if (missing !== null) {
    yield { bench: 'predict', name: 'predict-peer', value: 0, unit: 'rows/s', ok: null, note: missing };
    return;
  }
  const peer = await startPeer(dataDir, ['peer.py'], (peer) => fillTexts(stage, peer));
  try {
    const ours: Side = { ...stage, predict: (model, text) => `rafiki_predict('${model}', ${text})` };
    const theirs: Side = { ...peer, predict: (model, text) => `peer_predict('${model}', ${text})` };
    await checkAnswers(ours, theirs);
    for (const [family, model] of Object.entries(models))
      yield* forms(ours, peer, { family, model, rounds: roundsOf(quick) });
    yield* sessions(ours, theirs);
    yield* clients(ours, theirs, quick ? 3 : 10);
  } finally {
    await peer.stop();
  }
}

/** Both sides must predict the same label for each text, or the comparison is void. */
async function checkAnswers(ours: Side, theirs: Side): Promise<void> {
  for (const model of Object.values(models)) {
    const labels = (side: Side): Promise<{ label: string }[]> =>
      side.session.query(
        `select ${side.predict(model, 'body')} as label from bench_text where id <= ${CHECKED_ROWS} order by id`,
      );
    const [here, there] = [await labels(ours), await labels(theirs)];
    const differ = here.filter(({ label }, row) => label !== there[row]?.label).length;
    if (differ > 0) throw new Error(`${model}: ${differ} of ${CHECKED_ROWS} answers differ from the peer's`);
  }
}

/** Rows a second of the array form and of the plain form, each compared with the peer's quickest form. */
async function* forms(
  { session }: Side,
  peer: PeerStage,
  { family, model, rounds }: { family: string; model: string; rounds: number },
): AsyncIterable<Figure> {
  const plain = `select count(peer_predict('${model}', body)) from bench_scan`;
  const chunks = `select sum(peer_chunk('${model}', chunk)) from peer_chunks`;
  const times: Record<string, number[]> = {};
  const note = (name: string, ms: number): void => {
    times[name] = [...(times[name] ?? []), ms];
  };
  for (let round = 0; round < rounds; round++) {
    for (const on of [session, peer.session]) await freshTable(on, `peer ${family} ${round}`, ROWS);
    note(
      'array',
      await timed(session, `select cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan)))`),
    );
    await freshTable(session, `peer plain ${family} ${round}`, ROWS);
    note('plain', await timed(session, `select count(rafiki_predict('${model}', body)) from bench_scan`));
    note('their array', await timed(peer.session, chunks));
    note('their plain', await timed(peer.session, plain));
    await peer.session.query('alter table bench_scan set (parallel_workers = 1)');
    await peer.session.query(
      'set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0',
    );
    note('their array, parallel', await timed(peer.session, chunks));
    note('their plain, parallel', await timed(peer.session, plain));
    await peer.session.query('reset all');
  }
  for (const form of ['array', 'plain']) {
    const [alone, parallel] = [`their ${form}`, `their ${form}, parallel`].map((name) => settled(times[name] ?? []));
    yield compare(`peer-${form}-${family}`, {
      value: (1000 * ROWS) / settled(times[form] ?? []),
      unit: 'rows/s',
      peer: `PL/Python${(parallel ?? 0) < (alone ?? 0) ? ', parallel' : ''}`,
      peerValue: (1000 * ROWS) / Math.min(alone ?? Number.NaN, parallel ?? Number.NaN),
      bar: 1,
      min: true,
    });
  }
}

/** Time of a session's first call, and the memory that its backend gains. */
async function* sessions(ours: Side, theirs: Side): AsyncIterable<Figure> {
  const [here, there] = [await firstCalls(ours), await firstCalls(theirs)];
  const figure = { unit: 'ms', peer: 'PL/Python', note: 'target: the value, ms' };
  const firstMs = compare('peer-first-call', { ...figure, value: here.ms, peerValue: there.ms });
  yield { ...firstMs, bar: 20, ok: here.ms <= 20 };
  const memory = compare('peer-memory', { ...figure, unit: 'MB', value: here.mb, peerValue: there.mb });
  yield { ...memory, bar: 2, ok: here.mb <= 2, note: 'private memory that a backend gains; target: the value, MB' };
}

async function firstCalls({ url, predict }: Side): Promise<{ ms: number; mb: number }> {
  const ms: number[] = [];
  const mb: number[] = [];
  for (let call = 0; call < FIRST_CALLS; call++) {
    const session = new Database({ url, application: 'bench', maxConnections: 1, asUser: true, logger: silentLogger });
    const [backend] = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
    const before = privateMb(backend?.pid ?? 0);
    ms.push(await timed(session, `select ${predict(models.temporal_cnn, `'first ${call}'`)}`));
    mb.push(privateMb(backend?.pid ?? 0) - before);
    await session.stop();
  }
  return { ms: median(ms), mb: median(mb) };
}

/** Private memory of a process, MB. */
function privateMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, [, kb]) => sum + Number(kb) / 1024, 0);
}

/** 32 sessions with single-row calls, temporal CNN. */
async function* clients(ours: Side, theirs: Side, seconds: number): AsyncIterable<Figure> {
  if (!(await hasPgbench())) {
    yield { bench: 'predict', name: 'peer-clients-32', value: 0, unit: 'calls/s', ok: null, note: howToGetPgbench };
    return;
  }
  const measure = ({ url, predict }: Side): Promise<Calls> =>
    calls(url, (text) => predict(models.temporal_cnn, text), { clients: 32, seconds, warmUp: WARM_UP_S });
  const [here, there] = [await measure(ours), await measure(theirs)];
  const peer = 'PL/Python';
  yield compare('peer-clients-32', {
    value: here.perSecond,
    unit: 'calls/s',
    peer,
    peerValue: there.perSecond,
    bar: 0.9,
    min: true,
  });
  yield compare('peer-clients-32-p99', { value: here.p99Ms, unit: 'ms', peer, peerValue: there.p99Ms, bar: 1 });
}
