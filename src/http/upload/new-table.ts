import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import { PLAIN_TEXT, textTypes } from '../../domain/text-types.ts';
import { HttpRefusal } from '../error-answer.ts';
import {
  createStage,
  type Destination,
  definitions,
  type FileColumn,
  STAGE,
  type UploadedColumn,
} from './destination.ts';

export interface NewTable {
  /** Default: the role's own schema if it has one, else "public", as Postgres's default search path has it. */
  schema: string | undefined;
  table: string;
}

/** A table with the types of the file; of texts, with those of all values of each column. Refuses before the file is read where the role may not. */
export async function newTable(on: Queryable, { schema: named, table }: NewTable): Promise<Destination> {
  const schema = named ?? (await usualSchema(on));
  await checkCreate(on, schema);
  const name = `${quoted(schema)}.${quoted(table)}`;
  const finish = async (columns: UploadedColumn[]) => {
    await on.query(`analyze ${name}`);
    const [count] = await on.query<{ rows: number }>(`select count(*) as rows from ${name}`);
    return { dataset: `${schema}.${table}`, rows: count?.rows ?? 0, columns };
  };
  return async (given) => {
    const columns = given.filter(isTyped);
    if (columns.length === given.length) {
      await on.query(`create table ${name} (${definitions(columns)})`);
      return { table: name, finish: () => finish(columns) };
    }
    const names = given.map((column) => column.name);
    await createStage(
      on,
      names.map((column) => ({ name: column, type: PLAIN_TEXT })),
    );
    return {
      table: STAGE,
      async finish() {
        const narrowed = await typesOf(on, names);
        const list = narrowed.map(({ name: column, type }) => `${quoted(column)}::${type} as ${quoted(column)}`);
        await on.query(`create table ${name} as select ${list.join(', ')} from ${STAGE}`);
        return finish(narrowed);
      },
    };
  };
}

const isTyped = (column: FileColumn): column is UploadedColumn => column.type !== undefined;

/** As rafiki._relation_named looks for names, so that a name means the table that was uploaded. */
async function usualSchema(on: Queryable): Promise<string> {
  const [row] = await on.query<{ schema: string }>(`select coalesce(rafiki._own_schema(), 'public')::text as schema`);
  return row?.schema ?? 'public';
}

/** A schema that does not exist is refused by Postgres. */
async function checkCreate(on: Queryable, schema: string): Promise<void> {
  const [found] = await on.query<{ mayCreate: boolean; role: string }>(
    `select has_schema_privilege(n.oid, 'create') as "mayCreate", quote_ident(current_user) as role
     from pg_catalog.pg_namespace n where n.nspname = $1`,
    [schema],
  );
  if (found?.mayCreate !== false) return;
  const { role } = found;
  throw new HttpRefusal({ status: 403, sqlstate: '42501' }, `permission denied for schema ${schema}`, {
    detail: `Role ${role} may not create tables there.`,
    hint: `Have an administrator run: create schema ${role} authorization ${role}; or: grant create on schema ${quoted(schema)} to ${role};`,
  });
}

/** The first type that all values of a column have. */
async function typesOf(on: Queryable, names: readonly string[]): Promise<UploadedColumn[]> {
  const columns = names.map(quoted).map((column) => {
    const choices = textTypes.map(({ type, pattern }) => `when bool_and(${column} ~ '${pattern}') then '${type}'`);
    return `case ${choices.join(' ')} else '${PLAIN_TEXT}' end`;
  });
  const [row] = await on.query<{ types: string[] }>(`select array[${columns.join()}] as types from ${STAGE}`);
  return names.map((name, i) => ({ name, type: row?.types[i] ?? PLAIN_TEXT }));
}
