import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, loadMails, psql, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: what it prints is not tested');

let rafiki: RunningRafiki;

beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '2'] });
  await loadMails(rafiki.db, 'mail', 1500);
  const session = await rafiki.db.connect(() => {});
  const notices: string[] = [];
  session.onNotice((message) => notices.push(message));
  await session.query(`call rafiki_train_wait('text_classification', 'mail', max_trials => 3, seed => 1)`);
  await session.close();
  expect(notices.filter((line) => /^trial \d\/3 /.test(line))).toHaveLength(3);
});

afterAll(async () => {
  expect(await rafiki.stop()).toBe(0);
});

describe('after CALL rafiki_train_wait', () => {
  test('the views show a completed study in which each family was tried', async () => {
    const [study] = await rafiki.db.query<Record<string, unknown>>('select * from rafiki.studies');
    expect(study).toMatchObject({ model: 'mail_text_classification', state: 'completed', done: 3, total: 3 });
    const families = await rafiki.db.query<{ family: string }>(
      'select distinct family from rafiki.trials order by family',
    );
    expect(families.map(({ family }) => family)).toEqual(['fasttext', 'linear_text', 'temporal_cnn']);
  });

  test('a SELECT predicts, and most predictions are right', async () => {
    const [row] = await rafiki.db.query<{ right: number; rows: number }>(
      `select count(*) filter (where rafiki_predict('mail_text_classification', body) = label)::int as right, count(*)::int as rows from mail`,
    );
    expect(row?.rows).toBe(1500);
    expect(row!.right / row!.rows).toBeGreaterThan(0.95);
  });

  test('the array form gives the same labels in the same order, NULL for NULL', async () => {
    const [row] = await rafiki.db.query<{ same: boolean; labels: (string | null)[] }>(
      `select rafiki_predict('mail_text_classification', array_agg(body order by id))
                = array_agg(rafiki_predict('mail_text_classification', body) order by id) as same,
              rafiki_predict('mail_text_classification', array['free money now', null]) as labels
       from (select * from mail order by id limit 300) t`,
    );
    expect(row?.same).toBe(true);
    expect(row?.labels[1]).toBeNull();
  });

  test('rafiki_predict_detail adds probabilities that sum to one', async () => {
    const [row] = await rafiki.db.query<{ d: { label: string; probabilities: Record<string, number> } }>(
      `select rafiki_predict_detail('mail_text_classification', 'free money now') as d`,
    );
    const { label, probabilities } = row!.d;
    expect(Object.keys(probabilities).sort()).toEqual(['ham', 'spam']);
    expect(Object.values(probabilities).reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    expect(probabilities[label]).toBeGreaterThanOrEqual(0.5);
  });

  test('a trigger predicts new rows', async () => {
    await rafiki.db.query(`
      create table inbox (id int generated always as identity, body text, predicted text);
      create function classify_mail() returns trigger language plpgsql as $$
      begin
        new.predicted := rafiki_predict('mail_text_classification', new.body);
        return new;
      end $$;
      create trigger classify before insert on inbox for each row execute function classify_mail()`);
    await rafiki.db.query(`insert into inbox (body) select body from mail where label = 'spam' limit 20`);
    const [row] = await rafiki.db.query<{ spam: number }>(
      `select count(*)::int as spam from inbox where predicted = 'spam'`,
    );
    expect(row?.spam).toBeGreaterThan(17);
  });

  test.skipIf(noPsql)('a psql script works and prints a table', async () => {
    const printed = await psql(
      rafiki.url,
      `select rafiki_predict('mail_text_classification', body) as label, count(*) > 0 as any from mail group by 1 order by 1;`,
    );
    expect(printed).toBe(' label | any \n-------+-----\n ham   | t\n spam  | t\n(2 rows)\n\n');
  });

  test("a text of 1 MB and an emoji are answered, and an unknown model's error lists similar names", async () => {
    const [row] = await rafiki.db.query<{ big: string; small: string }>(
      `select rafiki_predict('mail_text_classification', repeat('free money ', 100000)) as big,
              rafiki_predict('mail_text_classification', '😀') as small`,
    );
    expect(['ham', 'spam']).toContain(row?.big);
    expect(['ham', 'spam']).toContain(row?.small);
    await expect(rafiki.db.query(`select rafiki_predict('mail_text_clasification', 'x')`)).rejects.toMatchObject({
      code: '42704',
      hint: expect.stringContaining('mail_text_classification'),
    });
  });

  test.skipIf(noPsql)('a client in another encoding gets its own letters right', async () => {
    const session = await rafiki.db.connect(() => {});
    await session.query(`create table umlaut as select i, case when i % 2 = 0 then 'grün' else 'süß' end as label,
                          case when i % 2 = 0 then 'gras wiese blatt ' else 'zucker honig sirup ' end || i as body from generate_series(1, 80) i`);
    await session.close();
    await rafiki.db.query(
      `call rafiki_train_wait('text_classification', 'umlaut', max_trials => 1, families => array['fasttext'], max_time => '60 s')`,
    );
    const printed = await psql(
      rafiki.url,
      `set client_encoding = 'latin1'; select octet_length(rafiki_predict('umlaut_text_classification', 'zucker honig')) as bytes; reset client_encoding; select rafiki_predict('umlaut_text_classification', 'zucker honig') as label;`,
    );
    expect(printed).toContain('süß');
  });

  test('statement_timeout ends a predict that would take hours', async () => {
    const session = await rafiki.db.connect(() => {});
    await session.query(`set statement_timeout = '300ms'`);
    await expect(
      session.query(
        `select count(rafiki_predict('mail_text_classification', body || i)) from mail, generate_series(1, 1000000) i`,
      ),
    ).rejects.toMatchObject({ code: '57014' });
    await session.close();
  });

  test('a new version takes over without a failed call', async () => {
    let over = false;
    let calls = 0;
    const ask = async (): Promise<void> => {
      const session = await rafiki.db.connect(() => {});
      while (!over) {
        await session.query(`select rafiki_predict('mail_text_classification', $1)`, [`free money ${calls++}`]);
      }
      await session.close();
    };
    const asking = Promise.all([ask(), ask(), ask()]);
    await rafiki.db.query(
      `call rafiki_train_wait('text_classification', 'mail', max_trials => 1, families => array['fasttext'])`,
    );
    await rafiki.db.query(`select rafiki_deploy('mail_text_classification', 2)`); // also where it was no better
    await eventually(async () => {
      const [row] = await rafiki.db.query<{ ready: boolean }>(
        `select version = 2 and deployment = 'ready' as ready from rafiki.models order by version desc limit 1`,
      );
      return row?.ready || undefined;
    });
    const before = calls;
    await eventually(async () => calls > before + 20 || undefined);
    over = true;
    await asking;
    expect(calls).toBeGreaterThan(100);
  });

  test("after a change of the bridge's secret, a connected session continues, and new ones connect", async () => {
    const predict = `select rafiki_predict('mail_text_classification', 'free money ' || clock_timestamp()) as label`;
    const session = await rafiki.db.connect(() => {});
    await session.query(predict);
    const env = { ...process.env, DATABASE_URL: rafiki.admin.url };
    const printed = execFileSync(process.execPath, [entry, 'rotate-secret'], { env, encoding: 'utf8' });
    expect(printed).toBe("the bridge's secret is changed\n");
    await session.query(predict);
    await session.close();
    await eventually(async () => {
      const fresh = await rafiki.db.connect(() => {});
      try {
        return await fresh.query(predict);
      } finally {
        await fresh.close();
      }
    });
  });

  test('dropping the model deletes its parameters, and predicting raises an error', async () => {
    await rafiki.db.query(`select rafiki_drop_model('mail_text_classification')`);
    await expect(rafiki.db.query(`select rafiki_predict('mail_text_classification', 'x')`)).rejects.toMatchObject({
      code: '42704',
    });
  });
});
