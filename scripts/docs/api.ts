import type { Queryable } from '../../src/db/database.ts';
import { parseComment } from './comment.ts';

/** Functions by section; each is in one. */
export const themes: Readonly<Record<string, readonly string[]>> = {
  Train: [
    ...['train', 'train_wait', 'check', 'wait', 'watch', 'cancel', 'finish', 'pause', 'resume', 'extend', 'drop_study'],
    ...['knobs', 'curve', 'importance', 'report'],
  ],
  Predict: [
    ...[
      'predict',
      'predict_many',
      'predict_rows',
      'predict_number',
      'predict_detail',
      'probabilities',
      'predict_top',
      'detect',
    ],
    ...['predict_query', 'predict_columns', 'predict_all'],
  ],
  Evaluate: ['evaluate', 'class_report', 'confusion', 'feature_importance', 'explain', 'explain_detail'],
  Attach: ['attach', 'detach'],
  Models: [
    'deploy',
    'undeploy',
    'rollback',
    'drop_model',
    'drop_version',
    'grant',
    'revoke',
    'set_owner',
    'import',
    'wait_import',
    'export',
  ],
  Tokens: ['create_token', 'revoke_token'],
};

/** A function or procedure that users call. */
export interface PublicFunction {
  name: string;
  isProcedure: boolean;
  /** With defaults. */
  signature: string;
  result: string | null;
  /** Names of its arguments. */
  inputs: string[];
  comment: string;
}

export const publicFunctions = (db: Queryable): Promise<PublicFunction[]> =>
  db.query<PublicFunction>(`
    select p.proname::text as name, p.prokind = 'p' as "isProcedure", pg_get_function_arguments(p.oid) as signature,
      pg_get_function_result(p.oid) as result, obj_description(p.oid, 'pg_proc') as comment,
      array(select a.name from unnest(p.proargnames, coalesce(p.proargmodes, array_fill('i'::"char", array[p.pronargs]))) a (name, mode)
            where a.mode in ('i', 'b', 'v')) as inputs
    from pg_proc p where p.proname like 'rafiki\\_%'
    order by p.proname, obj_description(p.oid, 'pg_proc') like 'Like %', pg_get_function_arguments(p.oid) collate "C"`);

/** docs/api.md, from what is installed. */
export async function apiPage(db: Queryable): Promise<string> {
  const functions = await publicFunctions(db);
  const parts = Object.entries(themes).map(
    ([theme, names]) => `## ${theme}\n\n${names.map((name) => functionPart(`rafiki_${name}`, functions)).join('\n')}`,
  );
  const contents = [...Object.keys(themes), 'Views', 'Settings', 'Registries']
    .map((title) => `[${title}](#${title.toLowerCase().replaceAll(' ', '-')})`)
    .join(', ');
  return `# The API\n\n${preface}\n\n${contents}.\n\n${parts.join('\n')}\n${await viewsPart(db)}\n${await settingsPart(db)}\n${await registriesPart(db)}`;
}

const preface = `Generated from the comments of the installed schema by \`npm run docs\`; \`\\df+ rafiki_*\` in psql shows the same. All examples are run by
\`test/pg/docs.test.ts\`, on tables \`reviews (id, label, body)\`, \`test_reviews\` likewise, \`photos (id, truth, image bytea)\`, \`rated (id, stars, image)\`,
\`shelf (id, boxes jsonb, image bytea)\`, \`customers (id, age, city, buys)\`, \`houses (city, rooms, price)\` and \`inbox (id, body, mood)\`. Every error has a DETAIL with the values, and a HINT with the next step.`;

function functionPart(name: string, functions: readonly PublicFunction[]): string {
  const forms = functions.filter((form) => form.name === name);
  return `### ${name}\n\n${forms.map(formPart).join('\n')}`;
}

function formPart({ name, isProcedure, signature, result, comment }: PublicFunction): string {
  const said = parseComment(comment);
  const head = brief(`${isProcedure ? 'CALL ' : ''}${name}(${signature})${result === null ? '' : ` → ${result}`}`);
  const errors = said.errors.map(({ sqlstate, when }) =>
    sqlstate === undefined ? `- ${when}` : `- ${sqlstate}: ${when}`,
  );
  return [
    block('text', folded(head)),
    plain(said.text),
    table(
      ['argument', ''],
      [...said.arguments].map(([argument, meaning]) => [`\`${argument}\``, plain(meaning)]),
    ),
    said.result === '' ? '' : `Result: ${said.result}.`,
    errors.length === 0 ? '' : `Errors:\n\n${errors.join('\n')}`,
    block('sql', said.example),
  ]
    .filter((part) => part !== '')
    .map((part) => `${part}\n`)
    .join('\n');
}

/** Without the casts of defaults, and types by their short names. */
const brief = (head: string): string =>
  head
    .replace(/ DEFAULT ([^,)]*?)::[a-z ]+(\[\])?(?=[,)])/g, ' DEFAULT $1')
    .replaceAll(' DEFAULT ', ' = ')
    .replaceAll('timestamp with time zone', 'timestamptz')
    .replaceAll('double precision', 'float8');

/** At most 120 characters a line, broken between arguments. */
function folded(head: string): string {
  const lines = [''];
  for (const piece of head.split(/(?<=, )/)) {
    if (`${lines.at(-1)}${piece}`.trimEnd().length > 120) lines.push('  ');
    lines[lines.length - 1] += piece;
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}

async function viewsPart(db: Queryable): Promise<string> {
  const views = await db.query<{ name: string; comment: string; columns: string }>(`
    select c.oid::regclass::text as name, obj_description(c.oid, 'pg_class') as comment,
      (select string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum) from pg_attribute a
       where a.attrelid = c.oid and a.attnum > 0) as columns
    from pg_class c where c.relnamespace = 'rafiki'::regnamespace and c.relkind = 'v' order by c.relname collate "C"`);
  const parts = views.map(
    ({ name, comment, columns }) => `### ${name}\n\n${comment}.\n\n${block('text', folded(brief(columns)))}\n`,
  );
  return `## Views\n\nEvery role may read them, and sees its own objects and those granted to it.\n\n${parts.join('\n')}`;
}

async function settingsPart(db: Queryable): Promise<string> {
  const rows = await db.query<{ name: string; usual: string; meaning: string }>('select * from rafiki._settings()');
  const shown = rows.map(({ name, usual, meaning }) => [`\`${name}\``, usual, meaning]);
  const example = block('sql', "set rafiki.latency_budget = '100ms';");
  return `## Settings\n\n\`rafiki.settings\` shows the current values. A setting can be set for a session, a transaction, a role or a database.\n\n${table(['setting', 'default', ''], shown)}\n\n${example}\n`;
}

/** The tables that the arguments of rafiki_train are checked against. */
async function registriesPart(db: Queryable): Promise<string> {
  const parts = [
    ['rafiki.task', 'select name, input, output, title from rafiki.task order by input desc, output desc, name'],
    ['rafiki.family', 'select name, task, title from rafiki.family order by task, name'],
    ['rafiki.metric', 'select name, output, title from rafiki.metric order by place'],
    [
      'rafiki.column_kind',
      "select name, title, array_to_string(types || array(select 'all of category ' || c from unnest(categories) c), ', ') as types from rafiki.column_kind order by name",
    ],
    ['rafiki.advisor', 'select name, title from rafiki.advisor order by place'],
  ].map(async ([name = '', sql = '']) => {
    const rows = await db.query<Record<string, string>>(sql);
    return `### ${name}\n\n${table(
      Object.keys(rows[0] ?? {}),
      rows.map((row) => Object.values(row)),
    )}\n`;
  });
  return `## Registries\n\n${(await Promise.all(parts)).join('\n')}`;
}

/** Markdown takes <word> for HTML. */
const plain = (text: string): string => text.replaceAll('<', '\\<');

const block = (language: string, code: string): string => `\`\`\`${language}\n${code}\n\`\`\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
