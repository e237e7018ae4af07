import path from 'node:path';
import { type Connection, Database, type Queryable } from '../../db/database.ts';
import { BadData } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { csvRecords } from '../terminal/csv-file.ts';
import { formatTable } from '../terminal/format-table.ts';
import { LiveLine } from '../terminal/live-line.ts';
import { demoDir, USER_URL } from '../up/data-dir.ts';
import { Up } from '../up/up.ts';
import type { UpOptions } from '../up/up-options.ts';
import { type LabelledMail, spamAssassinMails } from './spam-mails.ts';

const print = (line = ''): void => void process.stdout.write(`${line}\n`);

/** The options of `up`, without an external database, because the demo recreates its tables. */
export interface DemoOptions extends Omit<UpOptions, 'databaseUrl' | 'readerUrl'> {
  /** A CSV file with the columns label and text. */
  data: string | undefined;
}

/**
 * Trains and predicts on real data, with the statements that a user would type. On a terminal it keeps running
 * afterwards, until `stopped` resolves. Resolves when everything has stopped.
 */
export async function runDemo(options: DemoOptions, logger: Logger, stopped: Promise<void>): Promise<void> {
  const up = new Up({ ...options, dataDir: demoDir(options.dataDir) }, logger);
  const ended = trainAndShow(up, options, logger).then(() => (process.stdout.isTTY ? stopped : undefined));
  try {
    await Promise.race([ended, stopped]);
  } finally {
    ended.catch(() => undefined); // errors of the interrupted work are expected
    await up.stop();
  }
}

async function trainAndShow(up: Up, options: DemoOptions, logger: Logger): Promise<void> {
  print('Starting PostgreSQL, serving, coordinator and workers …');
  await up.start();
  const database = new Database({ url: up.databaseUrl, application: 'rafiki demo', asUser: true, logger });
  try {
    const session = await database.connect((error) => logger.debug({ err: error.message }, 'demo session ended'));
    const tables = options.data ? await ownData(session, options.data) : await mails(session);
    const live = new LiveLine(database);
    session.onNotice((message) => live.print(`  ${message}`));
    await trainAndPredict(session, tables, live);
    await session.close();
    printNextSteps(up, tables, demoDir(options.dataDir));
  } finally {
    await database.stop();
  }
}

interface DemoTables {
  task: string;
  relation: string;
  heldOut: string;
  model: string;
}

async function mails(session: Connection): Promise<DemoTables> {
  print('Loading the SpamAssassin mails (subject and body) into table mails …');
  return loadTables(session, 'text_classification', 'mails', await spamAssassinMails());
}

const OWN_TABLE = 'texts';

async function ownData(session: Connection, file: string): Promise<DemoTables> {
  const rows = rowsOf(file);
  const [first] = rows;
  if (!first || first['label'] === undefined || first['text'] === undefined) {
    throw new BadData(`${file} needs a header line with the columns label and text`, {
      detail: `It has: ${Object.keys(first ?? {}).join(', ') || 'no rows'}.`,
    });
  }
  print(`Loading ${rows.length} rows of ${path.basename(file)} into table ${OWN_TABLE} …`);
  const labelled = rows.map((row) => ({ label: row['label'] ?? '', text: row['text'] ?? '' }));
  const task = new Set(labelled.map(({ label }) => label)).size === 2 ? 'sentiment' : 'text_classification';
  return loadTables(session, task, OWN_TABLE, labelled);
}

function rowsOf(file: string): Record<string, string>[] {
  const hint =
    'It needs a header line with the columns label and text; quote texts that contain quotes or line breaks.';
  const [header = [], ...rows] = csvRecords(file, hint);
  return rows.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i] ?? ''])));
}

const ROWS_PER_INSERT = 500;

/** A fifth of the rows, selected by a hash of the text, is held out: the models never see them. */
export async function loadTables(
  session: Queryable,
  task: string,
  relation: string,
  rows: LabelledMail[],
): Promise<DemoTables> {
  const heldOut = `${relation}_held_out`;
  await session.query(`drop table if exists ${relation}, ${heldOut}`);
  await session.query(
    `create table ${relation} (id int generated always as identity primary key, label text, body text)`,
  );
  for (let i = 0; i < rows.length; i += ROWS_PER_INSERT) {
    const part = rows.slice(i, i + ROWS_PER_INSERT);
    await session.query(
      `insert into ${relation} (label, body) select nullif(label, ''), body from unnest($1::text[], $2::text[]) as t (label, body)`,
      [part.map(({ label }) => label), part.map(({ text }) => text)],
    );
  }
  await session.query(`create table ${heldOut} (like ${relation} including indexes)`);
  const inFifth = `hashtextextended(body, 7) % 5 = 0`;
  await session.query(
    `with moved as (delete from ${relation} where ${inFifth} returning *) insert into ${heldOut} select * from moved`,
  );
  await session.query(`analyze ${relation}, ${heldOut}`);
  return { task, relation, heldOut, model: `${relation}_${task}` };
}

async function trainAndPredict(session: Connection, tables: DemoTables, live: LiveLine): Promise<void> {
  const { task, relation, heldOut, model } = tables;
  const replace = relation === OWN_TABLE ? ', replace => true' : ''; // an earlier file may have had other classes
  const train = `CALL rafiki_train_wait('${task}', '${relation}', max_trials => 6, max_time => '75 s'${replace})`;
  print(`\n=> ${train};`);
  live.start();
  await session.query(train).finally(() => live.stop());

  await show(
    session,
    `SELECT trial, family, state, round(score::numeric, 4) AS score, epoch, seconds
  FROM rafiki.trials WHERE study = (SELECT max(study) FROM rafiki.studies WHERE model = '${model}') ORDER BY score DESC NULLS LAST`,
  );
  await show(
    session,
    `SELECT id, label, d->>'label' AS predicted, d->'probabilities' AS probabilities, left(body, 40) AS body
  FROM (SELECT *, rafiki_predict_detail('${model}', body) AS d FROM ${heldOut} ORDER BY id LIMIT 6) AS t`,
  );
  await show(
    session,
    `SELECT count(*) AS held_out, round(avg((rafiki_predict('${model}', body) = label)::int), 4) AS accuracy
  FROM ${heldOut} WHERE label IS NOT NULL`,
  );
}

async function show(session: Connection, sql: string): Promise<void> {
  print(`\n=> ${sql};`);
  print(formatTable(await session.query<Record<string, unknown>>(sql)));
}

/** Without a terminal everything stops with the demo and must be started again first. */
function printNextSteps(up: Up, { task, relation, model }: DemoTables, dataDir: string): void {
  print('\nWhat to try next:');
  if (!process.stdout.isTTY) print(`  npm run rafiki -- up --data-dir ${dataDir}   # and in another terminal:`);
  print(`  psql '${up.shownUrl}'`);
  print(`  SELECT rafiki_predict('${model}', 'You have won a million dollars, click here');`);
  print(
    `  SELECT rafiki_train('${task}', '${relation}', max_time => '5 min');   -- the next version, tuned for longer`,
  );
  print('  SELECT * FROM rafiki.top_studies;  \\watch 2');
  print('  \\df+ rafiki_*');
  if (up.httpUrl !== undefined)
    print(`  the dashboard, with the same role and its password (${path.join(dataDir, USER_URL)}):\n  ${up.httpUrl}`);
}
