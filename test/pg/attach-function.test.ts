import { beforeEach, describe, expect, test } from 'vitest';
import { Inbox } from '../support/inbox.ts';
import { reply } from '../support/scripted-bridge.ts';
import { failureOf } from '../support/sql-failure.ts';

const inbox = new Inbox();

describe('rafiki_attach', () => {
  test.each([
    [`'leters', 'inbox', 'body', 'letter'`, '42704'],
    [`'letters', 'inbox', 'bod', 'letter'`, '42703'],
    [`'letters', 'inbox', 'body', 'leter'`, '42703'],
    [`'letters', 'inbox', 'photo', 'letter'`, '42804'],
    [`'letters', 'inbox', 'body', 'body'`, '42701'],
  ])('refuses (%s)', async (args, code) => {
    expect(await failureOf(inbox.db, `select rafiki_attach(${args})`)).toMatchObject({
      code,
      hint: expect.any(String),
    });
  });

  describe('with a model with the classes h and world', () => {
    beforeEach(() => inbox.db.query(`update rafiki.model_version set classes = '{h,world}'`));

    test.each([
      ['out int generated always as identity', '42804'],
      ['out text generated always as (body) stored', '42804'],
      ['out boolean', '42804'],
      ['out varchar(3)', '42804'],
      ['out int', '42804'],
      ['out text not null default 0', '42804'],
      ['out text unique', '42804'],
      [`out text default 'a text of its own'`, '42P10'],
    ])('refuses %s to hold predictions', async (column, code) => {
      await inbox.db.query(`insert into inbox (id, body) values (1, 'hello')`);
      await inbox.db.query(`alter table inbox add ${column}`);
      const failure = await failureOf(inbox.db, `select rafiki_attach('letters', 'inbox', 'body', 'out')`);
      expect(failure).toMatchObject({ code, detail: expect.any(String), hint: expect.any(String) });
    });

    test('accepts a column that can hold them', async () => {
      await inbox.db.query(`create type said as enum ('h', 'world')`);
      await inbox.db.query(`alter table inbox add a varchar(5), add b said`);
      for (const column of ['a', 'b'])
        await inbox.db.query(`select rafiki_attach('letters', 'inbox', 'body', '${column}')`);
      await inbox.filled(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 40) i`);
      expect(await inbox.db.query('select distinct a, b from inbox')).toEqual([{ a: 'h', b: 'h' }]);
    });

    test('refuses to overwrite columns that the model was trained on, through a view too, and swapped columns', async () => {
      await inbox.db.query('create view seen as select body, letter from inbox');
      const study = (source: string, target: string, feature: string): Promise<unknown> =>
        inbox.db.query(
          `with s as (insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, state)
             values (current_user::regrole, 'text_classification', $1::regclass, 'letters', $2, array[$3::name], 1, '1 min', 0.2, 1, 'completed')
             returning id)
           update rafiki.model_version set study_id = s.id from s`,
          [source, target, feature],
        );
      const attach = (input: string, output: string): Promise<{ code: string; message: string }> =>
        failureOf(inbox.db, `select rafiki_attach('letters', 'inbox', '${input}', '${output}')`);
      await study('seen', 'letter', 'body');
      expect(await attach('body', 'letter')).toMatchObject({
        code: '42P10',
        message: expect.stringContaining('learnt from'),
      });
      expect(await attach('letter', 'body')).toMatchObject({
        code: '42P10',
        message: expect.stringContaining('swapped'),
      });
    });
  });

  test('refuses an input that triggers do not see, and relations that are no table', async () => {
    await inbox.db.query(`alter table inbox add loud text generated always as (upper(body)) stored`);
    await inbox.db.query('create view seen as select * from inbox');
    expect(await failureOf(inbox.db, `select rafiki_attach('letters', 'inbox', 'loud', 'letter')`)).toMatchObject({
      code: '428C9',
    });
    expect(await failureOf(inbox.db, `select rafiki_attach('letters', 'seen', 'body', 'letter')`)).toMatchObject({
      code: '42809',
    });
  });

  test('stores boxes in jsonb as an array', async () => {
    await inbox.db.query('alter table inbox add boxes jsonb');
    inbox.bridge.answer = (fields) => reply(fields[0] === 'p' ? '[{"label":"a"}]' : '{"[{\\"label\\":\\"a\\"}]"}');
    await inbox.db.query(`select rafiki_attach('finder', 'inbox', 'photo', 'boxes')`);
    await inbox.db.query(`insert into inbox (id, photo) values (1, '\\x01')`);
    await inbox.db.query(`set local rafiki.fill_wait = 0; insert into inbox (id, photo) values (2, '\\x01')`);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query(`select boxes -> 0 ->> 'label' as label from inbox`)).toEqual([
      { label: 'a' },
      { label: 'a' },
    ]);
  });

  test('after rafiki_detach predictions are kept, and new rows are not filled', async () => {
    await inbox.attachLetters();
    await inbox.filled(`insert into inbox (id, body) values (1, 'hello')`);
    const detach = `select rafiki_detach('inbox', 'letter') as done`;
    expect([await inbox.db.query(detach), await inbox.db.query(detach)]).toEqual([[{ done: true }], [{ done: false }]]);
    expect(await failureOf(inbox.db, `select rafiki_detach('inbox', 'leter')`)).toMatchObject({
      code: '42703',
      hint: expect.stringContaining('letter'),
    });
    await inbox.db.query(`update inbox set body = 'world'`);
    expect(await inbox.rows()).toMatchObject([{ letter: 'h' }]);
    expect(await inbox.db.query(`select from pg_trigger where tgrelid = 'inbox'::regclass`)).toEqual([]);
    expect(await inbox.db.query('select from rafiki.attachment')).toEqual([]);
  });

  test('attached again changes the model', async () => {
    await inbox.attachLetters();
    await inbox.db.query(
      `insert into rafiki.model (name, task, owner) values ('others', 'sentiment', current_user::regrole)`,
    );
    await inbox.db.query(`select rafiki_attach('others', 'inbox', 'body', 'letter')`);
    expect(await inbox.db.query('select model from rafiki.attachments')).toEqual([{ model: 'others' }]);
    expect(await inbox.db.query(`select from pg_trigger where tgrelid = 'inbox'::regclass`)).toHaveLength(4);
  });

  test('prevents the model from being dropped, unless cascade is given', async () => {
    await inbox.attachLetters();
    const failure = await failureOf(inbox.db, `select rafiki_drop_model('letters')`);
    expect(failure).toMatchObject({
      code: '2BP01',
      detail: 'Column letter of table public.inbox is filled by it.',
      hint: expect.stringContaining('cascade => true'),
    });
    await inbox.db.query(`select rafiki_drop_model('letters', cascade => true)`);
    await inbox.db.query(`insert into inbox (id, body) values (1, 'hello')`);
    expect(await inbox.db.query(`select from pg_trigger where tgrelid = 'inbox'::regclass`)).toEqual([]);
  });

  test('is allowed to the owner of the table, with whose rights it is filled', async () => {
    const mallory = await inbox.database.as('mallory');
    await inbox.db.query('grant select, insert, update, trigger on inbox to public');
    const grant = `insert into rafiki.model_grant (model_id, role, owner)
      select m.id, r.oid::regrole, m.owner from rafiki.model m, pg_roles r where r.rolname like 'mallory%' || current_database()`;
    await inbox.db.query(grant);
    const failure = await failureOf(mallory, `select rafiki_attach('letters', 'inbox', 'body', 'letter')`);
    expect(failure.code).toBe('42501');
    const [{ name } = { name: '' }] = await mallory.query<{ name: string }>('select current_user::text as name');
    await inbox.db.query(`create table hers (id int primary key, body text, letter text)`);
    await inbox.db.query(`alter table hers owner to ${name}`);
    await inbox.db.query(`select rafiki_attach('letters', 'hers', 'body', 'letter')`);
    const owner = `select proowner::regrole::text as name from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`;
    expect(await inbox.db.query(owner)).toEqual([{ name }]);
  });

  test('ends when its table is dropped, which does not prevent the model from being dropped meanwhile', async () => {
    await inbox.attachLetters();
    await inbox.db.query('drop table inbox');
    await inbox.db.query(`begin; select rafiki_drop_model('letters'); rollback`);
    await inbox.db.query('select rafiki._drop_readers()');
    expect(await inbox.db.query('select from rafiki.attachment')).toEqual([]);
    expect(await inbox.db.query(`select from pg_proc where pronamespace = 'rafiki_reader'::regnamespace`)).toEqual([]);
  });
});
