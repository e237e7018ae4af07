import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encoderCommand } from '../../src/cli/commands/encoder.ts';
import { addEncoder } from '../../src/cli/encoders/add-encoder.ts';
import { onnxEncoder } from '../../src/cli/encoders/onnx-encoder.ts';
import { removedText, removeEncoder } from '../../src/cli/encoders/remove-encoder.ts';
import type { Database } from '../../src/db/database.ts';
import { deleteEncoder, grantEncoder, lockEncoder, revokeEncoder } from '../../src/db/statements/encoders.ts';
import { setEncoders } from '../../src/db/statements/studies.ts';
import { createParamStore } from '../../src/params/create-param-store.ts';
import { createDatabaseWithoutRefits, createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { withRefit } from '../support/studies.ts';
import { tinyEncoder, tinyImageEncoder } from '../unit/encoders/tiny-encoder.ts';
import { wordPieces } from '../unit/encoders/word-pieces.ts';

/** Pretrained encoders, from the command to answers: a small one of random weights. */
let database: TestDatabase;
let db: Database;
let processes: RunningProcesses;

const words = ['gamma', 'delta', 'theta', 'kappa'];

beforeAll(async () => {
  database = await createDatabaseWithoutRefits();
  db = database.db;
  await db.query(`
    create table notes as
      select i as id, (array['gamma', 'delta', 'theta', 'kappa'])[1 + i % 4] || ' ' || i || ' ' || (i * 7919) % 1000 as body,
        (array['gamma', 'delta', 'theta', 'kappa'])[1 + i % 4] as label
      from generate_series(1, 400) i`);
  processes = await startProcesses(database.service);
  await db.query(`set rafiki.latency_budget = '20 s'`);
}, 120_000);
afterAll(async () => {
  await processes.stop();
  await database.drop();
});

const add = (name: string, roles: readonly string[] | null = null) =>
  addEncoder(name, async () => ({ input: 'text', model: tinyEncoder(), source: 'a test', licence: 'MIT' }), {
    database: db,
    params: createParamStore(db, {}),
    roles,
  });

async function study(args: string, refit = false): Promise<{ id: number; state: string }> {
  const request = `select rafiki_train('text_classification', 'notes', target => 'label', features => '{body}', seed => 3, ${args}) as id`;
  const [row] = refit ? await withRefit(db, request) : await db.query<{ id: number }>(request);
  const [end] = await db.query<{ state: string }>('select rafiki_wait($1) as state', [row!.id]);
  return { id: row!.id, state: end!.state };
}

const families = async (id: number): Promise<string[]> =>
  (
    await db.query<{ family: string }>(
      'select family from rafiki.trial where study_id = $1 and refits is null order by number',
      [id],
    )
  ).map(({ family }) => family);

test('without one, studies have no such family, and one that names it is told what to do', async () => {
  await expect(study(`families => '{encoder}'`)).rejects.toMatchObject({ code: '42704' });
  const { id } = await study(`max_trials => 1, max_time => '5 min', knobs => '{"epochs": 4}'`);
  expect(await families(id)).toEqual(['linear_text']);
});

test('a study takes it by itself, and its model answers; the vectors of an input are computed once', async () => {
  expect(await add('tiny')).toMatchObject({ name: 'tiny', width: 48 });
  const [row] = await db.query<{ usable: boolean; width: number }>('select usable, width from rafiki.encoders');
  expect(row).toEqual({ usable: true, width: 48 });
  const { id, state } = await study(`model => 'on_tiny', max_trials => 1, max_time => '5 min'`, true);
  expect(state).toBe('completed');
  expect(await families(id)).toEqual(['encoder']);
  const [right] = await db.query<{ share: number }>(
    `select avg((p.a = p.label)::int)::float8 as share from
       (select n.label, rafiki_predict('on_tiny', n.body) as a from notes n where id <= 40) p`,
  );
  expect(right?.share).toBeGreaterThan(0.9);
  const answers = await db.query<{ answers: string[] }>(`select rafiki_predict('on_tiny', $1::text[]) as answers`, [
    words.map((word) => `${word} 5 5`),
  ]);
  expect(answers[0]?.answers).toEqual(words);
  const parts = await db.query<{ feature: string; value: string; contribution: number }>(
    `select feature, value, contribution from rafiki_explain('on_tiny', $1)`,
    [`${words[0]} 5 5`],
  );
  expect(parts[0]).toMatchObject({ feature: 'word 1', value: words[0] });
  expect(parts[0]?.contribution).toBeGreaterThan(0);
});

test('a study that asks for it trains the weights further, and the model needs the encoder no more', async () => {
  const [row] = await db.query<{ trainable: boolean }>('select trainable from rafiki.encoders');
  expect(row).toEqual({ trainable: true });
  const { id, state } = await study(
    `model => 'tuned', families => '{encoder_tuned}', max_trials => 1, max_time => '5 min', knobs => '{"epochs": 3}'`,
    true,
  );
  expect(state).toBe('completed');
  expect(await families(id)).toEqual(['encoder_tuned']);
  const [right] = await db.query<{ share: number }>(
    `select avg((p.a = p.label)::int)::float8 as share from
       (select n.label, rafiki_predict('tuned', n.body) as a from notes n where id <= 40) p`,
  );
  expect(right?.share).toBeGreaterThan(0.9);
  const parts = await db.query<{ feature: string; value: string }>(
    `select feature, value from rafiki_explain('tuned', $1)`,
    [`${words[0]} 5 5`],
  );
  expect(parts[0]).toMatchObject({ feature: 'word 1', value: words[0] });
  const [stands] = await db.query<{ n: number }>(
    `select count(*)::int as n from rafiki.params p join rafiki.model_member m on m.params_id = p.id
     join rafiki.trial t on t.id = m.trial_id where t.study_id = $1 and p.stands_on is not null`,
    [id],
  );
  expect(stands).toEqual({ n: 0 });
});

test('an export does not give it away, and an import finds the same one, if its owner may use it', async () => {
  const [out] = await db.query<{ onnx: Buffer }>(`select rafiki_export('on_tiny') as onnx`);
  const [graph] = await db.query<{ data: Buffer }>(
    `select substr(b.data, octet_length(b.data) / 2, 64) as data from rafiki.encoder e join rafiki.params_tensor t on t.params_id = e.params_id
     join rafiki.blob b on b.hash = t.hash where t.name = 'model.onnx'`,
  );
  expect(out!.onnx.includes(graph!.data)).toBe(false);
  for (const shift of [0, 1, 2]) {
    const inBase64 = graph!.data.subarray(shift, shift + 48).toString('base64');
    expect(out!.onnx.includes(inBase64)).toBe(false);
  }
  const importIt = async (on: Database, name: string): Promise<string> => {
    const [begun] = await on.query<{ id: number }>(`select rafiki_import($1, 'text_classification', $2) as id`, [
      ...[name, out!.onnx],
    ]);
    const [end] = await on.query<{ state: string }>('select rafiki_wait_import($1) as state', [begun!.id]);
    return end!.state;
  };
  expect(await importIt(db, 'again')).toBe('ready');
  const detail = `select array_agg(rafiki_predict_detail($1, n.body) -> 'probabilities' order by id) as all from notes n where id <= 5`;
  expect(await db.query(detail, ['again'])).toEqual(await db.query(detail, ['on_tiny']));
  await db.query(`select rafiki_drop_model('again')`);
  const eve = await database.as('eve');
  const [who] = await eve.query<{ name: string }>('select current_user as name');
  expect(await revokeEncoder(db, 'tiny', null)).toBe(true);
  await expect(importIt(eve, 'stolen')).rejects.toMatchObject({
    ...{ code: '42704', message: 'the model stands on the encoder "tiny", which is not here' },
  });
  expect(await grantEncoder(db, 'tiny', who!.name)).toBe(true);
  expect(await importIt(eve, 'granted')).toBe('ready');
  await eve.query(`select rafiki_drop_model('granted')`);
  expect(await grantEncoder(db, 'tiny', null)).toBe(true);
});

test('one that cannot be trained says why', async () => {
  await db.query(`update rafiki.encoder set obstacle = 'It has an operator without a gradient: Odd.'`);
  await expect(study(`families => '{encoder_tuned}'`)).rejects.toMatchObject({
    code: '0A000',
    detail: 'It has an operator without a gradient: Odd.',
  });
  await db.query('update rafiki.encoder set obstacle = null');
});

test('one that cannot be trained is refused by its name, although another can', async () => {
  await add('stuck');
  await db.query(
    `update rafiki.encoder set obstacle = 'It has an operator without a gradient: Odd.' where name = 'stuck'`,
  );
  for (const encoder of ['"stuck"', '{"list": ["tiny", "stuck"]}'])
    await expect(
      study(`families => '{encoder,encoder_tuned}', knobs => '{"encoder": ${encoder}}'`),
    ).rejects.toMatchObject({
      code: '0A000',
      message: expect.stringContaining('"stuck"'),
      detail: 'It has an operator without a gradient: Odd.',
      hint: expect.stringContaining('trained further: tiny.'),
    });
  const { state } = await study(
    `model => 'untuned', max_trials => 1, max_time => '5 min', knobs => '{"encoder": "stuck", "epochs": 1}'`,
  );
  expect(state).toBe('completed');
  await db.query(`select rafiki_drop_model('untuned')`);
  expect(await removeEncoder(db, 'stuck')).toEqual([]);
});

test('its weights stay as long as a model stands on them, also if it is removed', async () => {
  expect(await removeEncoder(db, 'tiny')).toEqual(['on_tiny']);
  expect(removedText('tiny', ['on_tiny'])).toContain(
    'stay: on_tiny\nWhat is exported of them has no weights of the encoder',
  );
  const notices: string[] = [];
  const session = await db.connect(() => undefined);
  session.client.on('notice', ({ hint = '' }) => notices.push(hint));
  await session.query(`select rafiki_export('on_tiny')`);
  await session.close();
  expect(notices).toEqual([expect.stringContaining('rafiki encoder add NAME')]);
  expect(notices.join()).not.toContain('encoder export');
  await db.query(`update rafiki.params set created_at = now() - interval '1 day'`);
  const store = createParamStore(database.service, {});
  await db.query(`select rafiki_drop_model('tuned')`);
  await store.collectGarbage();
  const [kept] = await db.query<{ n: number }>(
    `select count(*)::int as n from rafiki.params e where exists (select from rafiki.params m where m.stands_on = e.id)`,
  );
  expect(kept?.n).toBe(1);
  await db.query(`select rafiki_predict('on_tiny', 'gamma 1 1')`);
  await db.query(`select rafiki_drop_model('on_tiny')`);
  await store.collectGarbage(); // the model's part first, then what it stood on
  await store.collectGarbage();
  const [left] = await db.query<{ n: number }>(
    'select count(*)::int as n from rafiki.params where stands_on is not null',
  );
  expect(left?.n).toBe(0);
});

test('a study tries all that its owner may use, and a knob names one', async () => {
  await add('one');
  await add('two');
  const tried = async (id: number): Promise<string[]> =>
    (
      await db.query<{ encoder: string }>(
        `select knobs ->> 'encoder' as encoder from rafiki.trial where study_id = $1 and refits is null order by number`,
        [id],
      )
    ).map(({ encoder }) => encoder);
  const both = await study(`model => 'on_both', max_trials => 2, max_time => '5 min', families => '{encoder}'`);
  expect(both.state).toBe('completed');
  expect(await tried(both.id)).toEqual(['two', 'one']); // the newest first
  await db.query(`select rafiki_predict('on_both', 'gamma 5 5')`);
  const named = await study(
    `model => 'on_one', max_trials => 1, max_time => '5 min', knobs => '{"encoder": "one", "epochs": 2}'`,
  );
  expect([named.state, await tried(named.id)]).toEqual(['completed', ['one']]);
  await expect(study(`knobs => '{"encoder": "none"}'`)).rejects.toMatchObject({
    code: '42704',
    detail: expect.stringContaining('two, one'),
  });
  await expect(study(`knobs => '{"encoder": 3}'`)).rejects.toMatchObject({ code: '42804' });
  // texts and arrays have the "key" list, too
  await expect(study(`knobs => '{"encoder": "list"}'`)).rejects.toMatchObject({ code: '42704' });
  await expect(study(`knobs => '{"encoder": ["list"]}'`)).rejects.toMatchObject({ code: '42804' });
  await expect(study(`knobs => '{"kernel": "list"}'`)).rejects.toMatchObject({ code: '22003' });
  await expect(study(`knobs => '{"gamma": "list"}'`)).rejects.toMatchObject({ code: '42804' });
  await expect(study(`knobs => '{"gamma": {"list": 3}}'`)).rejects.toMatchObject({ code: '42804' });
  await expect(study(`knobs => '{"encoder": {"list": ["one", "no"]}}'`)).rejects.toMatchObject({ code: '42704' });
  expect(await removeEncoder(db, 'one')).toContain('on_one');
  expect(await removeEncoder(db, 'two')).toBeDefined();
});

test('images have encoders, too, for classes and for numbers', { timeout: 300_000 }, async () => {
  const colours = ['#c02020', '#20c020', '#2020c0'];
  await db.query('create table photos (id int primary key, label text, amount float8, image bytea)');
  for (let i = 0; i < 90; i++) {
    const create = { width: 10 + i, height: 20, channels: 3, background: colours[i % 3]! } as const;
    const image = await sharp({ create }).png().toBuffer();
    await db.query('insert into photos values ($1, $2, $3, $4)', [i, `c${i % 3}`, (i % 3) * 10, image]);
  }
  expect(
    await addEncoder(
      'pictures',
      async () => ({ input: 'image', model: tinyImageEncoder(), source: 'a test', licence: 'MIT' }),
      { database: db, params: createParamStore(db, {}), roles: null },
    ),
  ).toMatchObject({ width: 48 });
  const [row] = await db.query<{ label: number; number: number }>(`
    select rafiki_train('image_classification', 'photos', 'seen', target => 'label', features => '{image}', families => '{encoder}',
        max_trials => 1, max_time => '5 min', seed => 1) as label,
      rafiki_train('image_regression', 'photos', 'counted', target => 'amount', features => '{image}', families => '{encoder}',
        max_trials => 1, max_time => '5 min', seed => 1) as number`);
  for (const id of [row!.label, row!.number]) {
    const [end] = await db.query<{ state: string }>('select rafiki_wait($1) as state', [id]);
    expect(end?.state).toBe('completed');
  }
  const [answers] = await db.query<{ right: number; error: number }>(`
    select avg((rafiki_predict('seen', image) = label)::int)::float8 as right,
      avg(abs(rafiki_predict_number('counted', image) - amount)) as error from photos`);
  expect(answers?.right).toBeGreaterThan(0.95);
  expect(answers?.error).toBeLessThan(2);
});

test('one that fails on a long text is not added', async () => {
  const file = 'test/fixtures/encoder/bert-17.onnx'; // of 16 places
  const dir = await mkdtemp(path.join(tmpdir(), 'rafiki-encoders-'));
  const tokenizer = path.join(dir, 'tokenizer.json');
  await writeFile(tokenizer, JSON.stringify(wordPieces));
  const into = { database: db, params: createParamStore(db, {}), roles: null };
  await expect(addEncoder('short', () => onnxEncoder({ onnx: file, tokenizer }), into)).rejects.toMatchObject({
    ...{ sqlstate: '22000', message: 'the encoder cannot read a text of 256 tokens' },
    hint: expect.stringContaining('"max_length": 16'),
  });
  await rm(dir, { recursive: true });
});

test('who may not add one is told before files are read', async () => {
  const eve = await database.as('eve');
  for (const words of [
    ['add', 'x', '--npm', '/none'],
    ['remove', 'closed'],
    ['grant', 'closed', 'public'],
  ])
    await expect(encoderCommand.run([...words, '--database-url', eve.url])).rejects.toMatchObject({
      ...{ sqlstate: '42501', message: `rafiki encoder ${words[0]} needs the rights of rafiki's owner` },
      hint: expect.stringContaining('rafiki_owner'),
    });
});

test('is for every role, or for some', async () => {
  await add('closed', []);
  const usable = async (): Promise<number> => {
    const [row] = await db.query<{ n: number }>(
      `select coalesce(cardinality(rafiki._encoders_for($1::regrole, 'sentiment')), 0) as n`,
      ['rafiki_reader'],
    );
    return row!.n;
  };
  expect(await usable()).toBe(0);
  expect(await grantEncoder(db, 'closed', 'rafiki_reader')).toBe(true);
  expect(await usable()).toBe(1);
  expect(await revokeEncoder(db, 'closed', 'rafiki_reader')).toBe(true);
  expect(await usable()).toBe(0);
  expect(await grantEncoder(db, 'closed', null)).toBe(true);
  expect(await usable()).toBe(1);
  expect(await grantEncoder(db, 'unheard', null)).toBe(false);
});

test('what is wrong with a name or a role is told before files are read', async () => {
  const into = { database: db, params: createParamStore(db, {}), roles: null };
  const never = () => Promise.reject(new Error('files are read'));
  await expect(addEncoder('closed', never, into)).rejects.toMatchObject({ sqlstate: '55000' });
  await expect(addEncoder('No Name', never, into)).rejects.toMatchObject({ sqlstate: '22023' });
  await expect(addEncoder('fresh', never, { ...into, roles: ['no_such_role'] })).rejects.toMatchObject({
    code: '42704',
  });
  await expect(addEncoder('fresh', never, into)).rejects.toThrow('files are read');
});

test('is added with the rights of rafiki itself only', async () => {
  await expect(
    database.service.query(
      `insert into rafiki.encoder (name, input, width, params_id, source, bytes) values ('x', 'text', 1, 1, 'x', 1)`,
    ),
  ).rejects.toMatchObject({ code: '42501' });
});

describe('removing one while a study begins', () => {
  let alone: TestDatabase;
  let id: number;
  beforeAll(async () => {
    alone = await createTestDatabase(); // no coordinator: the study does not begin by itself
    await alone.db.query(
      `create table notes as select 'text ' || i as body, (array['a', 'b'])[1 + i % 2] as label from generate_series(1, 40) i`,
    );
    const source = async () => ({ input: 'text' as const, model: tinyEncoder(), source: 'a test', licence: null });
    const into = { database: alone.db, params: createParamStore(alone.db, {}), roles: null };
    for (const name of ['kept', 'gone']) await addEncoder(name, source, into);
    const [row] = await alone.db.query<{ id: number }>(
      `select rafiki_train('text_classification', 'notes', 'm', target => 'label', features => '{body}') as id`,
    );
    id = row!.id;
  }, 120_000);
  afterAll(() => alone.drop());

  const encodersOf = async (): Promise<string[]> => {
    const sql = `select e.name from rafiki.study s join rafiki.encoder e on e.id = any(s.encoder_ids) where s.id = $1`;
    return (await alone.db.query<{ name: string }>(sql, [id])).map(({ name }) => name);
  };
  /** Until a session waits for a lock of another. */
  const untilWaiting = async (): Promise<void> => {
    for (;;) {
      const sql = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      if ((await alone.db.query(sql)).length > 0) return;
    }
  };

  test('the study waits, and does not get it', async () => {
    let choosing: Promise<void> | undefined;
    await alone.db.transaction(async (on) => {
      expect(await lockEncoder(on, 'gone')).toBe(true);
      choosing = setEncoders(alone.service, id);
      await untilWaiting();
      await deleteEncoder(on, 'gone');
    });
    await choosing;
    expect(await encodersOf()).toEqual(['kept']);
  });

  test('who removes it waits, and is told of the study', async () => {
    let removing: Promise<unknown> | undefined;
    await alone.service.transaction(async (on) => {
      await setEncoders(on, id);
      removing = removeEncoder(alone.db, 'kept').catch((error: unknown) => error);
      await untilWaiting();
    });
    expect(await removing).toMatchObject({ sqlstate: '55000', detail: expect.stringContaining(`Study ${id}`) });
    expect(await encodersOf()).toEqual(['kept']);
    expect(await removeEncoder(alone.db, 'never')).toBeUndefined();
  });
});
