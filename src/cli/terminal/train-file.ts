import path from 'node:path';
import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import { BadData, Cancelled, InvalidParameter } from '../../errors/errors.ts';
import { command } from '../commands/command.ts';
import { untilSignal } from '../commands/signals.ts';
import { type CsvColumn, hasSentences, readCsv } from './csv-file.ts';
import { LiveLine } from './live-line.ts';
import { loadCsv } from './load-csv.ts';
import { userSettings, withUser } from './user-session.ts';

const print = (line = ''): void => void process.stdout.write(`${line}\n`);

export const trainFileCommand = command({
  title: 'trains a model on a CSV file, which becomes a table; train FILE --target COLUMN',
  settings: [...userSettings, 'target', 'task', 'table', 'minutes'],
  takesWords: true,
  run: ({ settings, words }) =>
    withUser(settings, async (database, api) => {
      const [file] = words;
      if (file === undefined || words.length > 1) {
        throw new InvalidParameter('train takes one CSV file', { hint: 'rafiki train FILE.csv --target COLUMN' });
      }
      const columns = readCsv(file);
      const target = targetOf(columns, settings.target);
      const task = settings.task ?? taskOf(columns, target);
      const table = settings.table ?? tableName(file);
      const session = await database.connect(() => undefined);
      try {
        await database.transaction(async (on) => {
          await checkIsNew(on, table);
          await loadCsv(on, { table: quoted(table), line: lineName(columns), columns });
          // what cannot be trained leaves no table behind
          await on.query(`select from ${api}.rafiki_check($1::text, $2::text::regclass, target => $3::name)`, [
            ...[task, quoted(table), target.name],
          ]);
        });
        print(`${columns[0]?.values.length} rows of ${path.basename(file)} are in table ${table}`);
        const live = new LiveLine(database);
        let study: string | undefined;
        session.onNotice((message) => {
          study ??= queued.exec(message)?.[1];
          live.print(message);
        });
        live.start();
        const trained = session
          .query(
            `call ${api}.rafiki_train_wait($1::text, $2::text::regclass, target => $3::name, max_time => pg_catalog.make_interval(mins => $4::int))`,
            [...[task, quoted(table), target.name, settings.minutes]],
          )
          .then(() => true)
          .finally(() => live.stop());
        if (!(await Promise.race([trained, untilSignal().then(() => false)]))) {
          trained.catch(() => undefined); // its connection is about to be closed
          live.stop();
          throw goesOn(study);
        }
        print(`\npredict the rows of another file: rafiki predict ${table}_${task} FILE.csv`);
      } finally {
        await session.close();
      }
    }),
});

/** How rafiki_train_wait says which study it waits for. */
const queued = /^study (\d+) is queued/;

const goesOn = (study: string | undefined): Cancelled =>
  study === undefined
    ? new Cancelled('the study may have begun', { hint: '"rafiki status" shows whether it has.' })
    : new Cancelled(`study ${study} goes on`, {
        hint: `Cancel it with: select rafiki_cancel(${study}). "rafiki logs ${study}" shows it.`,
      });

async function checkIsNew(on: Queryable, table: string): Promise<void> {
  const [row] = await on.query<{ there: boolean }>('select pg_catalog.to_regclass($1::text) is not null as there', [
    quoted(table),
  ]);
  if (row?.there !== true) return;
  throw new InvalidParameter(`there is a table "${table}" already`, {
    hint: `Choose another name with --table; or train on that table: rafiki_train('TASK', '${table}').`,
  });
}

function targetOf(columns: readonly CsvColumn[], name: string): CsvColumn {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  throw new InvalidParameter(`the file has no column "${name}" to learn`, {
    detail: `Its columns: ${columns.map((column) => column.name).join(', ')}.`,
    hint: 'Name the column with --target.',
  });
}

/** A number with more values than this is an amount, not a class. */
const MAX_CLASSES = 20;

function taskOf(columns: readonly CsvColumn[], target: CsvColumn): string {
  const others = columns.filter((column) => column !== target);
  const texts = others.filter(hasSentences);
  const isAmount = ['bigint', 'double precision'].includes(target.type) && new Set(target.values).size > MAX_CLASSES;
  if (others.length === 0) throw new BadData('the file has only the column to learn');
  const readsText = texts.length === 1 && others.every((column) => column === texts[0] || isKey(column));
  return `${readsText ? 'text' : 'tabular'}_${isAmount ? 'regression' : 'classification'}`;
}

const isKey = ({ type, values }: CsvColumn): boolean => type === 'bigint' && new Set(values).size === values.length;

/** The file's name, as an identifier that needs no quotes. */
function tableName(file: string): string {
  const name = path
    .parse(file)
    .name.toLowerCase()
    .replaceAll(/[^a-z0-9_]+/g, '_')
    .slice(0, 40);
  return /^[a-z_]/.test(name) ? name : `t_${name}`;
}

/** A name for the number of a row's line that no column has. */
function lineName(columns: readonly CsvColumn[]): string {
  let name = 'line';
  while (columns.some((column) => column.name === name)) name = `${name}_`;
  return name;
}
