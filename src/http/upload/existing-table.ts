import type { Queryable } from '../../db/database.ts';
import { quoted } from '../../db/quoted.ts';
import { BadData, PermissionDenied, UndefinedObject } from '../../errors/errors.ts';
import { HttpRefusal } from '../error-answer.ts';
import { createStage, type Destination, type FileColumn, STAGE, type UploadedColumn } from './destination.ts';

interface TableColumn extends UploadedColumn {
  isBytes: boolean;
  /** Generated, or an identity that is always the table's own. */
  isComputed: boolean;
}

interface ExistingTable {
  /** With its schema, as SQL. */
  name: string;
  isTable: boolean;
  isInternal: boolean;
  mayInsert: boolean;
  role: string;
  columns: TableColumn[];
}

/**
 * A table that gets more rows. They are staged with its types, and inserted by one statement after the last one has come: until then the table is not
 * locked, however slow the client is. INSERT, unlike COPY, keeps to row-level security.
 */
export async function existingTable(on: Queryable, dataset: string): Promise<Destination> {
  const table = await tableNamed(on, dataset);
  return async (given) => {
    const columns = matched(given, table);
    await createStage(on, columns);
    return {
      table: STAGE,
      async finish() {
        const list = columns.map(({ name }) => quoted(name)).join();
        const [count] = await on.query<{ rows: number }>(
          `with appended as (insert into ${table.name} (${list}) table ${STAGE} returning 1) select count(*) as rows from appended`,
        );
        return { dataset: table.name, rows: count?.rows ?? 0, columns };
      },
    };
  };
}

/** Refuses what takes no rows, or none of this role. */
async function tableNamed(on: Queryable, dataset: string): Promise<ExistingTable> {
  const [table] = await on.query<ExistingTable>(
    `select format('%I.%I', n.nspname, c.relname) as name, c.relkind in ('r', 'p', 'f') as "isTable",
       rafiki._is_internal_schema(n.nspname) as "isInternal",
       has_any_column_privilege(c.oid, 'insert') as "mayInsert", quote_ident(current_user) as role,
       coalesce((select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
           'isBytes', 'bytea'::regtype in (t.oid, t.typbasetype), 'isComputed', a.attgenerated <> '' or a.attidentity = 'a') order by a.attnum)
         from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = rafiki._relation_named('dataset', $1)`,
    [dataset],
  );
  if (table === undefined) {
    throw new UndefinedObject(`table "${dataset}" does not exist`, { hint: 'It was there a moment ago.' });
  }
  const { name, role, isInternal, isTable, mayInsert } = table;
  if (isInternal) {
    throw new PermissionDenied(`rows cannot be appended to ${name}`, {
      detail: 'It is of Rafiki or of Postgres.',
      hint: 'GET /v1/datasets lists data sets.',
    });
  }
  if (!isTable) {
    throw new HttpRefusal({ status: 400, sqlstate: '42809' }, `${name} is no table`, {
      hint: 'Append to the table whose rows it shows.',
    });
  }
  if (!mayInsert) {
    throw new PermissionDenied(`permission denied for table ${name}`, {
      hint: `Have its owner run: grant insert on ${name} to ${role};`,
    });
  }
  return table;
}

/** The columns of the file, with their types in the table. */
function matched(given: readonly FileColumn[], { name: table, columns }: ExistingTable): UploadedColumn[] {
  const known = new Map(columns.map((column) => [column.name, column]));
  const unknown = given.filter(({ name }) => !known.has(name));
  if (unknown.length > 0) {
    throw new BadData('the table does not have all columns of the uploaded file', {
      detail: `${table} has no ${listed(unknown)}.`,
      hint: `Its columns are ${listed(columns.filter(({ isComputed }) => !isComputed))}.`,
    });
  }
  const computed = given.filter(({ name }) => known.get(name)?.isComputed);
  if (computed.length > 0) {
    throw new BadData('the uploaded file has columns that the table computes by itself', {
      detail: `In ${table} these are generated: ${listed(computed)}.`,
      hint: 'Leave them out of the file.',
    });
  }
  return given.map(({ name, type: typeInFile }) => {
    const { type, isBytes } = known.get(name) as TableColumn;
    if (typeInFile === 'bytea' && !isBytes) {
      throw new BadData(`column "${name}" of the uploaded file has bytes`, {
        detail: `In ${table} it is of type ${type}.`,
        hint: 'Write it as texts, or make the column bytea.',
      });
    }
    return { name, type };
  });
}

const listed = (columns: readonly FileColumn[]): string => columns.map(({ name }) => `"${name}"`).join(', ');
