import type { Figure } from '../figure.ts';
import { median } from './measure.ts';
import { type OneCallStage, predictNew, prepareCalls, timesOfCalls } from './one-call.ts';
import { serverParts } from './server-parts.ts';
import { models } from './stage.ts';

/** More calls than the server's statistics are of, and the time until it has written these. */
const CALLS = 1100;
const WRITTEN_S = 3;

/** Where the microseconds of one call of a new text go. */
export async function* callParts(stage: OneCallStage, rounds: number): AsyncIterable<Figure> {
  const { close } = await prepareCalls(stage);
  const times = await timesOfCalls(stage.session, rounds);
  const server = await serverUs(stage);
  await close();
  const unseen = median(times.unseen);
  const seen = median(times.seen);
  const dblink = median(times.lowerBound);
  const nothing = median(times.nothing);
  yield part('call', unseen, 'of a new text, in SQL');
  yield part('statement', nothing, 'EXECUTE of a query without a function');
  yield part('dblink', dblink - nothing, "dblink and the wire: 'select 1', by another backend");
  yield part('functions', seen - dblink, 'the SQL functions: a call of a text seen before, beyond dblink');
  yield part('server', server, 'from request to answer of a new text, as the server measures it');
  yield part('rest', unseen - seen - server, 'until the event loop continues and writes');
  const hot = await serverParts();
  yield part('hot-frames', hot.frames, 'again and again in one process: reading and writing messages');
  yield part('hot-tokenise', hot.tokenise, 'again and again');
  yield part('hot-inference', hot.inference, 'again and again');
  yield part('hot-session', hot.session, 'again and again: request, scan, policy, cache');
}

const part = (name: string, us: number, note: string): Figure => ({
  bench: 'predict',
  name: `part-${name}`,
  value: Number(us.toPrecision(3)),
  unit: 'us',
  ok: null,
  note,
});

/** The median of the last calls, all of new texts. */
async function serverUs({ session, admin }: OneCallStage): Promise<number> {
  await session.query('select pg_temp.bench_us($1, $2)', [predictNew(String(performance.now())), CALLS]);
  await session.query('select pg_sleep($1)', [WRITTEN_S]);
  const [row] = await admin.query<{ us: number }>(
    `select 1000 * max(s.p50_ms) as us from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id where m.name = $1`,
    [models.fasttext],
  );
  return row?.us ?? Number.NaN;
}
