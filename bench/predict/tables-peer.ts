import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Database } from '../../src/db/database.ts';
import { timed } from './measure.ts';
import { type PeerStage, startPeer } from './peer-stage.ts';
import { trainedModel } from './raw.ts';
import type { PredictStage } from './stage.ts';

const CHECKED_ROWS = 1000;

type Ours = Pick<PredictStage, 'session' | 'admin'>;

/** Milliseconds of all rows with PL/Python in the backend of PostgreSQL 17. */
export type PeerForm = 'bulk' | 'bulk, parallel' | 'plain' | 'plain, parallel';

/** The same forest on the same rows, in table `bench_rows`; rows are fetched in the form that PL/Python reads quickest, as an array of rows. */
export class RowsPeer {
  readonly #peer: PeerStage;
  readonly #sql: Readonly<Record<'bulk' | 'chunks' | 'plain', string>>;

  private constructor(peer: PeerStage, model: string) {
    this.#peer = peer;
    this.#sql = {
      bulk: `select cardinality(peer_predict_rows('${model}', (select array_agg(r) from bench_rows r), 2))`,
      chunks: `select sum(peer_chunk('${model}', chunk)) from peer_chunks`,
      plain: `select count(peer_predict('${model}', r)) from bench_rows r`,
    };
  }

  static async start(ours: Ours, dataDir: string, model: string): Promise<RowsPeer> {
    const peer = await startPeer(dataDir, ['peer_rows.py'], (session) => fillRows(ours, session, model));
    try {
      await checkAnswers(ours.session, peer.session, model);
    } catch (error) {
      await peer.stop();
      throw error;
    }
    return new RowsPeer(peer, model);
  }

  async times(): Promise<Record<PeerForm, number>> {
    const { session } = this.#peer;
    const { bulk, chunks, plain } = this.#sql;
    const alone = { bulk: await timed(session, bulk), plain: await timed(session, plain) };
    await session.query('alter table bench_rows set (parallel_workers = 1)');
    await session.query(
      'set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0',
    );
    const parallel = {
      'bulk, parallel': await timed(session, chunks),
      'plain, parallel': await timed(session, plain),
    };
    await session.query('reset all');
    await session.query('alter table bench_rows reset (parallel_workers)');
    return { ...alone, ...parallel };
  }

  stop(): Promise<void> {
    return this.#peer.stop();
  }
}

async function fillRows({ session: ours, admin }: Ours, peer: Database, model: string): Promise<void> {
  const columns = await ours.query<{ column: string }>(
    `select quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) as column from pg_attribute
     where attrelid = 'bench_rows'::regclass and attnum > 0 and not attisdropped order by attnum`,
  );
  await peer.query(`create table bench_rows (${columns.map(({ column }) => column).join()})`);
  await peer.query(readFileSync(path.join(import.meta.dirname, 'peer-rows.sql'), 'utf8'));
  const { features } = await trainedModel(admin, model);
  const [file] = await ours.query<{ onnx: Buffer }>('select rafiki_export($1) as onnx', [model]);
  await peer.query('insert into peer_model values ($1, $2, $3, $4)', [
    ...[model, file?.onnx, JSON.stringify(features.state['columns']), features.classes],
  ]);
  const [rows] = await ours.query<{ json: string }>('select json_agg(r order by r.id)::text as json from bench_rows r');
  await peer.query('insert into bench_rows select * from json_populate_recordset(null::bench_rows, $1)', [rows?.json]);
  await peer.query('alter table bench_rows add primary key (id)');
  await peer.query('vacuum analyze bench_rows');
}

/** Both sides must predict the same label for each row, or the comparison is void. */
async function checkAnswers(ours: Database, theirs: Database, model: string): Promise<void> {
  const labels = (session: Database, predict: string): Promise<{ label: string }[]> =>
    session.query(
      `select ${predict}('${model}', r) as label from bench_rows r where id <= ${CHECKED_ROWS} order by id`,
    );
  const [here, there] = [await labels(ours, 'rafiki_predict'), await labels(theirs, 'peer_predict')];
  const differ = here.filter(({ label }, row) => label !== there[row]?.label).length;
  if (differ > 0) throw new Error(`${model}: ${differ} of ${CHECKED_ROWS} answers differ from the peer's`);
}
