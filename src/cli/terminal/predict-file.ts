import { readFileSync } from 'node:fs';
import { stringify } from 'csv-stringify/sync';
import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import { InvalidParameter, UndefinedObject } from '../../errors/errors.ts';
import { command } from '../commands/command.ts';
import { type CsvColumn, hasSentences, readCsv } from './csv-file.ts';
import { loadCsv } from './load-csv.ts';
import { userSettings, withUser } from './user-session.ts';

export const predictFileCommand = command({
  title: "adds a model's predictions to a CSV file, or classifies an image; predict MODEL FILE",
  settings: [...userSettings, 'column'],
  takesWords: true,
  run: ({ settings, words }) =>
    withUser(settings, async (database, api) => {
      const [model, file] = words;
      if (model === undefined || file === undefined || words.length > 2) {
        throw new InvalidParameter('predict takes a model and a file', { hint: 'rafiki predict MODEL FILE.csv' });
      }
      const session = await database.connect(() => undefined);
      try {
        const input = await inputOfModel(session, model);
        if (input === 'image') return printLabel(session, { api, model }, readFileSync(file));
        await printPredictions(session, { api, model, input, columns: readCsv(file), column: settings.column });
      } finally {
        await session.close();
      }
    }),
});

async function inputOfModel(session: Queryable, model: string): Promise<string> {
  const [row] = await session.query<{ input: string }>(
    `select t.input from rafiki.models m join rafiki.task t on t.name = m.task
     where m.model = $1 and m.deployment = 'ready' limit 1`,
    [model],
  );
  if (row !== undefined) return row.input;
  throw new UndefinedObject(`model "${model}" does not exist, or is not deployed`, {
    hint: '"rafiki status" lists the models that this role may use.',
  });
}

async function printLabel(session: Queryable, { api, model }: ModelOfApi, image: Buffer): Promise<void> {
  const [row] = await session.query<{ label: string | null }>(
    `select ${api}.rafiki_predict($1::text, $2::bytea) as label`,
    [model, image],
  );
  process.stdout.write(`${row?.label ?? ''}\n`);
}

/** A model, and the schema of the functions that answer. */
interface ModelOfApi {
  api: string;
  model: string;
}

interface FilePrediction extends ModelOfApi {
  input: string;
  columns: readonly CsvColumn[];
  /** Of a model that reads a text. */
  column: string | undefined;
}

const TABLE = 'pg_temp.rafiki_file';
const LINE = 'line of the file';

/** Rows whose answers are in memory at a time. */
const PART = 10_000;

async function printPredictions(
  session: Queryable,
  { api, model, input, columns, column }: FilePrediction,
): Promise<void> {
  const argument = input === 'columns' ? 't' : `t.${quoted(textColumn(columns, column))}`;
  await loadCsv(session, { table: TABLE, line: LINE, columns });
  process.stdout.write(stringify([[...columns.map(({ name }) => name), 'prediction']]));
  const rows = columns[0]?.values.length ?? 0;
  for (let from = 0; from < rows; from += PART) {
    const answers = await session.query<{ prediction: string | null }>(
      `select ${api}.rafiki_predict($1::text, ${argument}) as prediction from ${TABLE} t
       where ${quoted(LINE)} > $2 and ${quoted(LINE)} <= $3 order by ${quoted(LINE)}`,
      [model, from, from + PART],
    );
    process.stdout.write(
      stringify(answers.map(({ prediction }, i) => [...columns.map(({ values }) => values[from + i]), prediction])),
    );
  }
}

function textColumn(columns: readonly CsvColumn[], name: string | undefined): string {
  const names = columns.map((column) => column.name);
  if (name !== undefined && names.includes(name)) return name;
  const texts = columns.filter(({ type }) => type === 'text');
  const [only, ...others] = texts.length === 1 ? texts : texts.filter(hasSentences);
  if (name === undefined && only !== undefined && others.length === 0) return only.name;
  throw new InvalidParameter(
    name === undefined
      ? 'the model reads one text, and the file has several columns'
      : `the file has no column "${name}"`,
    { detail: `Its columns: ${names.join(', ')}.`, hint: 'Name the column with the texts with --column.' },
  );
}
