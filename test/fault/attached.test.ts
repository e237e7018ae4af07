import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

const KILLS = ['serving', 'coordinator'] as const;

let rafiki: RunningRafiki;
beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '1'] });
  const { db } = rafiki;
  await loadMails(db, 'mail', 400);
  await db.query(`call rafiki_train_wait('text_classification', 'mail', families => '{fasttext}', max_trials => 1)`);
  await db.query('create table inbox (id int primary key, body text, label text)');
  await db.query('create table filled (id int)');
  await db.query(`
    create function note() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' or old.label is null then
        insert into public.filled values (new.id);
      end if;
      return null;
    end $$`);
  await db.query(`create trigger note after insert or update on inbox for each row when (new.label is not null)
                  execute function note()`);
  await db.query(`select rafiki_attach('mail_text_classification', 'inbox', 'body', 'label')`);
});
afterAll(() => rafiki.stop());

test('rows can be written while server and coordinator are killed, without waiting for them, and each is filled once', async () => {
  const { db } = rafiki;
  let isOn = true;
  let unfilled = 0;
  let [rows, statements] = [0, 0];
  const writer = (async () => {
    while (isOn) {
      const count = statements++ % 50 === 0 ? 100 : 1;
      await db.query(
        `insert into inbox (id, body) select i, 'free money ' || i from generate_series($1::int, $2::int) i`,
        [rows + 1, rows + count],
      );
      rows += count;
      unfilled += (await db.query('select from inbox where id = $1 and label is null', [rows])).length;
      await sleep(10);
    }
  })();
  for (const kind of KILLS) {
    await sleep(1_500);
    const pid = (await rafiki.pids(kind)).at(-1); // those before are dead, and not yet forgotten
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
  await sleep(1_500);
  isOn = false;
  await writer;
  await eventually(async () =>
    (await db.query('select from inbox where label is null')).length === 0 ? true : undefined,
  );
  expect(unfilled).toBeGreaterThan(0); // so no statement waited until a server was there again
  expect(rows).toBeGreaterThan(100);
  const strange = `select from inbox i left join (select id, count(*) as times from filled group by id) f using (id)
                   where f.times is distinct from 1`;
  expect(await db.query(strange)).toEqual([]);
  expect(await db.query('select from filled')).toHaveLength(rows);
});
