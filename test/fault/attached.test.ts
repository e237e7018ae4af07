import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

/** Of a statement, which waits half a second for predictions at the most; the rest is for a machine that is busy. */
const LONGEST_MS = 2_000;
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

test('rows can be written while server and coordinator are killed, and each is filled once', async () => {
  const { db } = rafiki;
  let isOn = true;
  let longestMs = 0;
  let rows = 0;
  const writer = (async () => {
    while (isOn) {
      const count = rows % 50 === 0 ? 100 : 1;
      const startedMs = performance.now();
      await db.query(
        `insert into inbox (id, body) select i, 'free money ' || i from generate_series($1::int, $2::int) i`,
        [rows + 1, rows + count],
      );
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      rows += count;
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
  expect(longestMs).toBeLessThan(LONGEST_MS);
  expect(rows).toBeGreaterThan(100);
  const strange = `select from inbox i left join (select id, count(*) as times from filled group by id) f using (id)
                   where f.times is distinct from 1`;
  expect(await db.query(strange)).toEqual([]);
  expect(await db.query('select from filled')).toHaveLength(rows);
});
