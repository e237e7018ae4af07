import fc from 'fast-check';
import { Database, type Queryable } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

/** The signature of a function that every role may call. */
export interface Callable {
  name: string;
  kind: 'f' | 'p';
  types: string[];
}

/** All public functions, except those that wait for a given time. */
export function callables(on: Queryable): Promise<Callable[]> {
  return on.query(`
    select p.oid::regproc::text as name, p.prokind::text as kind,
      array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a (t, n) order by n) as types
    from pg_proc p
    where (p.pronamespace = 'rafiki'::regnamespace or p.proname like 'rafiki\\_%' and p.pronamespace = 'public'::regnamespace)
      and p.prokind in ('f', 'p') and p.prorettype <> 'trigger'::regtype and has_function_privilege('public', p.oid, 'execute')
      -- raises its argument
      and p.proname not in ('_raise')
    order by p.oid::regprocedure::text collate "C"`);
}

/** A value as SQL writes it: each is a literal of text that is cast, so that the wrong ones reach the functions' own checks, too. */
export type Literal = string;

const quote = (text: string): Literal => `'${text.replaceAll('\0', '').replaceAll("'", "''")}'`;

const known = [
  'm',
  'm2',
  'sentiment',
  'image_classification',
  'object_detection',
  'reviews',
  'photos',
  'body',
  'label',
  'text',
  'image',
  'P',
  'error',
  'skip',
  'random',
  'queued',
  'k',
  '1 h',
  '?;64',
  '+;64;1259;2;(0,0);(9,9)',
  '-;64;1259;2;(0,0);(9,9)',
  '+;',
  '{"sqlstate": "08003"}',
  '{"sqlstate": "42704", "message": "m"}',
  '{}',
  '[]',
  'null',
  '["a", null]',
  'select 1',
  'select body from reviews',
  'select * from reviews; drop table reviews',
  'select',
  '1h\x1fanswer',
  '\x1f',
  '\x1f\x1f\x1f',
];

const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...known) },
  {
    weight: 3,
    arbitrary: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll(/[\uD800-\uDFFF\0]/gu, '')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '\t',
      '\x01\x02',
      '%s%I%L',
      '$1',
      "'",
      '"',
      '\\',
      '\u2028',
      '🙂',
      'x'.repeat(63),
      'x'.repeat(64),
      'x'.repeat(70_000),
    ),
  },
);
const number = fc
  .oneof(fc.integer({ min: -3, max: 70 }), fc.constantFrom(-2147483648, 2147483647, 32767, -32768, 10000, 10001))
  .map(String);
const big = fc.oneof(number, fc.constantFrom('9223372036854775807', '-9223372036854775808'));
const real = fc.oneof(
  number,
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e308', '-1e308', '5e-324', '0.5', '1', '0.999999999999'),
);
const span = fc.oneof(
  fc.constantFrom(
    '1 s',
    '0',
    '-1 s',
    '30 days',
    '30 days 1 us',
    '178000000 years',
    '-178000000 years',
    '1 us',
    '2562047788 hours',
    'infinity',
    '-infinity',
    '1 month -30 days',
    '50 ms',
  ),
  fc.integer({ min: -1e9, max: 1e9 }).map((n) => `${n} ms`),
);
const json = fc.oneof(
  fc
    .json({ maxDepth: 4, noUnicodeString: false } as fc.JsonSharedConstraints)
    .map((text) => text.replaceAll(/\\u[0-9a-f]{4}|[\uD800-\uDFFF\0]/giu, '')),
  fc.constantFrom(
    '{}',
    '[]',
    'null',
    '1',
    '"x"',
    '{"epochs": 1}',
    '{"epochs": {"min": 1}}',
    '{"epochs": {"list": [1, null]}}',
    '{"epochs": {"list": {}}}',
    '{"epochs": 1e400}',
    '{"sqlstate": "bad"}',
    '{"sqlstate": "00000", "message": ""}',
    '[{"objects": [], "found": []}]',
    '[{"objects": [{"label": "a", "x": 0, "y": 0, "w": 0, "h": 0}], "found": [{"label": "a", "score": 1}]}]',
    `${'['.repeat(3000)}${']'.repeat(3000)}`,
    JSON.stringify({ x: 'y'.repeat(100_000) }),
    JSON.stringify(Array.from({ length: 3000 }, (_, i) => i)),
  ),
);
const array = (of: fc.Arbitrary<string>): fc.Arbitrary<Literal> =>
  fc.oneof(
    fc
      .array(fc.option(of, { freq: 5 }), { maxLength: 5 })
      .map(
        (values) =>
          `array[${values.map((value) => (value === null ? 'null' : quote(value))).join(', ')}]::text[]::text`,
      ),
    fc.constantFrom(
      `'{{a,b},{c,d}}'`,
      `'{}'`,
      `'[5:6]={a,b}'`,
      `'{NULL}'`,
      `(select array_agg(i::text)::text from generate_series(1, 5000) i)`,
    ),
  );

/** Of each type, what it may be given. */
const values: Record<string, fc.Arbitrary<Literal>> = {
  text: word.map(quote),
  name: word.map(quote),
  integer: number.map(quote),
  smallint: number.map(quote),
  bigint: big.map(quote),
  'double precision': real.map(quote),
  real: real.map(quote),
  numeric: real.map(quote),
  boolean: fc.constantFrom(`'t'`, `'f'`),
  interval: span.map(quote),
  jsonb: json.map(quote),
  json: json.map(quote),
  uuid: fc.oneof(
    fc.uuid().map(quote),
    fc.constantFrom(
      `(select key #>> '{}' from rafiki.model_access limit 1)`,
      `(select key #>> '{}' from rafiki.model_ownership limit 1)`,
      `(select key #>> '{}' from rafiki.study_ownership limit 1)`,
    ),
  ),
  regclass: fc.oneof(
    fc.constantFrom(
      `'reviews'`,
      `'photos'`,
      `'big_view'`,
      `'pg_class'`,
      `'rafiki.study'`,
      `'rafiki.studies'`,
      `'pg_class_oid_index'`,
      `'0'`,
      `'4294967295'`,
      `'seq'`,
      `'odd "".table'`,
    ),
    word.map(quote),
  ),
  regrole: fc.constantFrom(`'rafiki_owner'`, `'postgres'`, `'pg_monitor'`, `'0'`, `'4294967295'`, `'nobody there'`),
  oid: fc.constantFrom(
    `'0'`,
    `'1259'`,
    `'4294967295'`,
    `'reviews'::regclass::oid::text`,
    `'rafiki.study'::regclass::oid::text`,
  ),
  tid: fc.constantFrom(`'(0,0)'`, `'(0,1)'`, `'(4294967295,65535)'`, `'(4294967294,0)'`, `'x'`),
  bytea: fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => `'\\x${Buffer.from(bytes).toString('hex')}'`),
    fc.constantFrom(`''`, `'\\xffd8ffe000104a46'`, `(select convert_to(repeat('x', 300000), 'UTF8')::text)`),
  ),
  'text[]': array(word),
  'name[]': array(word.map((text) => text.slice(0, 30))),
  'bigint[]': array(big),
  'bytea[]': fc.constantFrom(`'{}'`, `'{"\\\\x00",NULL}'`, `'{{"\\\\x00"}}'`),
  anyelement: fc.oneof(
    word.map((text) => `${quote(text)}::text`),
    fc.constantFrom(`'\\x00'::bytea`, `null::text`, '1', `row(1, 2)`),
  ),
  anyarray: fc.constantFrom(`array['a', null]`, `'{}'::int[]`, `array[array['x']]`, 'null::text[]'),
  'rafiki.task': fc.constantFrom(
    `(select t::text from rafiki.task t where name = 'sentiment')`,
    `(select t::text from rafiki.task t where name = 'object_detection')`,
    `'(,,,)'`,
    `'(x,y,z,a)'`,
    `'x'`,
  ),
  'rafiki.study': fc.constantFrom(
    `(select jsonb_populate_record(null::rafiki.study, to_jsonb(s))::text from (
        select task, source, model, target, features, families, knobs, advisor, max_trials, max_time, validation, seed, on_bad_row
        from rafiki.study limit 1) s)`,
    `'x'`,
    `(select row(s.*)::text from (select null::rafiki.study as s) s)`,
  ),
};

/** A call of any of them, with arguments of the right types, or now and then of a wrong one, or null. */
export function calls(all: readonly Callable[]): fc.Arbitrary<string> {
  return fc.constantFrom(...all).chain(({ name, kind, types }) => {
    const argument = (type: string): fc.Arbitrary<string> => {
      const right = values[type] ?? fc.constant('null');
      const typed = type.startsWith('any') ? right : right.map((value) => `(${value})::text::${type}`);
      return fc.oneof(
        { weight: 20, arbitrary: typed },
        { weight: 2, arbitrary: fc.constant(type.startsWith('any') ? 'null::text' : `null::${type}`) },
        {
          weight: 1,
          arbitrary: fc.oneof(
            word.map((text) => `${quote(text)}::text`),
            big,
            json.map((text) => `${quote(text)}::text::jsonb`),
          ),
        },
      );
    };
    return fc
      .tuple(...types.map(argument))
      .map((args) => `${kind === 'p' ? 'call' : 'select * from'} ${name}(${args.join(', ')})`);
  });
}

const settings = fc
  .record({})
  .chain(() =>
    fc.constantFrom(
      ...[
        'rafiki.latency_budget',
        'rafiki.on_overdue',
        'rafiki.read_ahead',
        'rafiki.alpha_first',
        'rafiki.alpha_last',
        'rafiki.delta',
        'rafiki.terminator',
        'rafiki.gpu',
        'rafiki.ticket',
        'rafiki.noticed',
      ],
    ),
  )
  .chain((name) =>
    fc
      .oneof(word, real, span, fc.constantFrom('on', 'off', 'answer', 'error', 'null', '50ms', '1e9s'))
      .map((value) => `select set_config('${name}', ${quote(value)}, false)`),
  );

/** What a session says: mostly calls, and a setting now and then. */
export const statements = (all: readonly Callable[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: calls(all) },
    { weight: 1, arbitrary: settings },
    { weight: 1, arbitrary: fc.constant('discard all') },
  );

/** What the calls find: relations of all kinds, whose names are among the arguments. */
export async function furnish(on: Queryable, owner: string): Promise<void> {
  for (const sql of [
    `create table reviews (id int primary key, label text, body text)`,
    `insert into reviews select i, (array['pos', 'neg'])[1 + i % 2], 'film ' || i from generate_series(1, 60) i`,
    `create table photos (id int, label text, image bytea, boxes jsonb)`,
    `create view big_view as select r.* from reviews r, generate_series(1, 20)`,
    `create sequence seq`,
    `create table "odd "".table" ("1" text, "a b" text, "%I" int)`,
  ])
    await on.query(sql);
  await on.query(`alter table reviews owner to ${owner}`);
  for (const name of ['photos', 'big_view', 'seq', '"odd "".table"'])
    await on.query(`alter table ${name} owner to ${owner}`);
}

export interface FuzzResult {
  calls: number;
  /** SQLSTATEs and how often each came. */
  states: Record<string, number>;
  /** What must not come: internal errors, and backends that end. */
  wrong: string[];
}

/** Makes the calls one after the other; a session that breaks is one of the things that must not happen. */
export async function fuzz(
  url: string,
  all: readonly Callable[],
  { runs, seed }: { runs: number; seed: number },
): Promise<FuzzResult> {
  const database = new Database({ url, application: 'fuzz', asUser: true, logger: silentLogger });
  const session = await database.connect(() => undefined); // a pool would give up a connection at each error
  const result: FuzzResult = { calls: 0, states: {}, wrong: [] };
  const prepare = async (): Promise<void> => {
    await session.query(`select set_config('statement_timeout', '3s', false), set_config('lock_timeout', '1s', false)`);
    await session.query(`select set_config('client_min_messages', 'error', false)`);
  };
  await prepare();
  for (const sql of fc.sample(statements(all), { numRuns: runs, seed })) {
    result.calls++;
    let state = '00000';
    try {
      await session.query(sql);
    } catch (error) {
      state = (error as { code?: string }).code ?? String(error);
      if (!/^[0-9A-Z]{5}$/.test(state) || /^XX|^57P|^58/.test(state))
        result.wrong.push(`${state} ${(error as Error).message}: ${sql.slice(0, 400)}`);
    }
    result.states[state] = (result.states[state] ?? 0) + 1;
    if (sql === 'discard all') await prepare();
  }
  await session.close();
  await database.stop();
  return result;
}

/**
 * What the log of Postgres says that it must not, where its lines begin with the application's name (log_line_prefix '%m [%p] %a: ').
 * The sessions of users may well err; ours may not.
 */
export const complaints = (log: string): string[] =>
  log
    .split('\n')
    .filter((line) => /(FATAL|PANIC|TRAP): |terminated by signal|\] rafiki[^:]*: ERROR: /.test(line))
    .filter((line) => !/\] (\[unknown\]|bench|test|fuzz): FATAL: /.test(line)); // sessions of tests that end
