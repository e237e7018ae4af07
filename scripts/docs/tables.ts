import type { Queryable } from '../../src/db/database.ts';

/** Tables by what they are for, one picture each; each stands in one. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  Registries: ['task', 'family', 'advisor', 'metric', 'column_kind'],
  Studies: [
    ...['study', 'study_key', 'trial', 'trial_start', 'trial_worker', 'trial_round', 'trial_change', 'trial_variant'],
    ...['report', 'validation', 'reading'],
  ],
  Models: ['model', 'model_key', 'model_grant', 'model_version', 'model_member', 'deployment'],
  Weights: ['params', 'params_tensor', 'blob', 'object'],
  'Pretrained encoders': ['encoder', 'encoder_grant'],
  'Imported models': ['import', 'import_part'],
  'Attached tables': ['attachment', 'attachment_mark', 'unanswered'],
  Tokens: ['token'],
  Processes: [
    'process',
    'worker_family',
    'leader',
    'predict_stat',
    'policy_weights',
    'bridge',
    'bridge_address',
    'quota',
    'migration',
  ],
};

interface TableShown {
  name: string;
  comment: string;
  columns: { name: string; type: string; keys: string; comment: string | null }[];
}

interface ForeignKey {
  from: string;
  to: string;
  columns: string;
  /** Whether a row may name none. */
  optional: boolean;
  /** Whether at most one row names each. */
  single: boolean;
}

/** docs/tables.md, from the catalogue. */
export async function tablesPage(db: Queryable): Promise<string> {
  const [tables, keys] = [await tablesOf(db), await foreignKeys(db)];
  const parts = Object.entries(rooms).map(([title, names]) => {
    const own = names.map((name) => tables.find((table) => table.name === name)!);
    const lines = own.flatMap(entity);
    const links = keys.filter(({ from }) => names.includes(from)).map(relationship);
    const said = own.map(({ name, comment }) => `- \`rafiki.${name}\`: ${comment}.`);
    return `## ${title}\n\n${said.join('\n')}\n\n\`\`\`mermaid\nerDiagram\n${[...lines, ...links].join('\n')}\n\`\`\`\n`;
  });
  return `# The tables\n\n${preface}\n\n${parts.join('\n')}`;
}

const preface = `Generated from the catalogue by \`npm run docs\`. All tables are in schema \`rafiki\` and belong to \`rafiki_owner\`; only functions of rafiki and
\`rafiki_service\` write to them (\`docs/security.md\`). Users read the views (\`docs/api.md\`). Links are foreign keys; some ids have none, because
the row that they name may be deleted first.`;

const tablesOf = (db: Queryable): Promise<TableShown[]> =>
  db.query<TableShown>(`
    select c.relname::text as name, obj_description(c.oid, 'pg_class') as comment, (
      select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, null), 'comment', col_description(c.oid, a.attnum),
        'keys', (select string_agg(distinct case k.contype when 'p' then 'PK' when 'f' then 'FK' else 'UK' end, ', ') from pg_constraint k
                 where k.conrelid = c.oid and a.attnum = any (k.conkey) and k.contype in ('p', 'f', 'u'))) order by a.attnum)
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
    from pg_class c where c.relnamespace = 'rafiki'::regnamespace and c.relkind = 'r' order by c.relname collate "C"`);

const foreignKeys = (db: Queryable): Promise<ForeignKey[]> =>
  db.query<ForeignKey>(`
    select f.relname::text as "from", t.relname::text as "to",
      (select string_agg(a.attname, ', ' order by a.attnum) from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey)) as columns,
      (select bool_or(not a.attnotnull) from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey)) as optional,
      exists (select from pg_constraint u where u.conrelid = k.conrelid and u.contype in ('p', 'u') and u.conkey <@ k.conkey) as single
    from pg_constraint k join pg_class f on f.oid = k.conrelid join pg_class t on t.oid = k.confrelid
    where k.contype = 'f' and f.relnamespace = 'rafiki'::regnamespace order by f.relname collate "C", k.conname`);

/** Mermaid takes one word for a type. */
const entity = ({ name, columns }: TableShown): string[] => [
  `  ${name} {`,
  ...columns.map(({ name: column, type, keys, comment }) =>
    ['   ', wordOf(type), column, keys, comment === null ? '' : `"${comment.replaceAll('"', "'")}"`]
      .filter((word) => word)
      .join(' '),
  ),
  '  }',
];

const wordOf = (type: string): string =>
  type.replace('timestamp with time zone', 'timestamptz').replace('double precision', 'float8').replaceAll(/[" ]/g, '');

const relationship = ({ from, to, columns, optional, single }: ForeignKey): string =>
  `  ${to} ${optional ? '|o' : '||'}--${single ? 'o|' : 'o{'} ${from} : "${columns}"`;
