import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../support/free-ports.ts';
import { eventually, loadMails, psql, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: what it prints is not tested');

let rafiki: RunningRafiki;
/** Of the metrics of serving; coordinator and workers have the next ones. */
let metricsPort: number;

beforeAll(async () => {
  metricsPort = await freePorts(4);
  rafiki = await rafikiUp({ args: ['--workers', '2', '--metrics-port', `${metricsPort}`] });
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
    const session = await rafiki.db.connect(() => {});
    await session.query('set rafiki.refit = off'); // half the time
    await session.query(
      `call rafiki_train_wait('text_classification', 'mail', max_trials => 1, families => array['fasttext'])`,
    );
    await session.close();
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
});

describe('the metrics of the processes', () => {
  const read = async (process: number): Promise<string> =>
    (await fetch(`http://127.0.0.1:${metricsPort + process}/metrics`)).text();
  const numberOf = (text: string, name: string, label = ''): number => {
    const line = text.split('\n').find((it) => it.startsWith(name) && it.includes(label)) ?? '';
    return Number(line.slice(line.lastIndexOf(' ')));
  };

  test('serving has counted the calls of the model, and how long they took', async () => {
    const before = await read(0);
    await rafiki.db.query(`select rafiki_predict('mail_text_classification', 'one more call for the metrics')`);
    const after = await read(0);
    const model = 'model="mail_text_classification"';
    for (const name of ['rafiki_predict_calls_total', 'rafiki_predict_call_duration_seconds_count'])
      expect(numberOf(after, name, model)).toBe(numberOf(before, name, model) + 1);
    expect(numberOf(after, 'rafiki_model_memory_bytes', model)).toBeGreaterThan(1000);
    expect(numberOf(after, 'rafiki_bridge_sessions')).toBeGreaterThan(0);
  });

  test('the coordinator leads, and the workers have trained the trials', async () => {
    const coordinator = await read(1);
    expect(numberOf(coordinator, 'rafiki_coordinator_leading')).toBe(1);
    expect(numberOf(coordinator, 'rafiki_trials', 'state="running"')).toBe(0);
    const workers = await Promise.all([read(2), read(3)]);
    const trained = workers.map((text) => numberOf(text, 'rafiki_worker_trials_total', 'part="leading"'));
    expect(trained.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(3);
  });

  test.each([0, 1, 2, 3])('process %i is ready', async (process) => {
    expect((await fetch(`http://127.0.0.1:${metricsPort + process}/health/ready`)).status).toBe(200);
  });
});

describe('on a terminal', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-cli-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, [entry, ...args, '--data-dir', rafiki.dataDir], { encoding: 'utf8', stdio: 'pipe' });
  const failed = (...args: string[]): { status: number; stderr: string } => {
    try {
      run(...args);
    } catch (error) {
      return error as { status: number; stderr: string };
    }
    throw new Error('did not fail');
  };

  test('a CSV file is trained on, and another gets its predictions', async () => {
    const file = path.join(folder, 'Fruit prices.csv');
    const lines = Array.from(
      { length: 120 },
      (_, i) => `${i},${i % 2 === 0 ? 'apple' : 'pear'},${(i % 2 === 0 ? 1.5 : 9) + i / 100}`, // the id is no feature
    );
    writeFileSync(file, `id,fruit,price\n${lines.join('\n')}\n`);
    const training = promisify(execFile)(process.execPath, [
      ...[entry, 'train', file, '--target', 'fruit', '--minutes', '10', '--data-dir', rafiki.dataDir],
    ]);
    // which would use its time up: it is ended once it has a model
    const [{ study } = { study: 0 }] = await eventually(async () => {
      const rows = await rafiki.db.query<{ study: number }>(
        `select s.study from rafiki.studies s join rafiki.trials t using (study)
         where s.model like 'fruit_prices%' and t.state = 'completed' limit 1`,
      );
      return rows.length === 1 ? rows : undefined;
    });
    expect(await rafiki.db.query('select max_time::text from rafiki.study where id = $1', [study])).toEqual([
      { max_time: '00:10:00' },
    ]);
    await rafiki.db.query('select rafiki_finish($1)', [study]);
    const trained = (await training).stdout;
    expect(trained).toContain('120 rows of Fruit prices.csv are in table fruit_prices');
    expect(trained).toContain('rafiki predict fruit_prices_tabular_classification FILE.csv');
    const predicted = run('predict', 'fruit_prices_tabular_classification', file).trim().split('\n');
    expect(predicted[0]).toBe('id,fruit,price,prediction');
    expect(predicted.slice(1, 3)).toEqual(['0,apple,1.5,apple', '1,pear,9.01,pear']);
    expect(predicted).toHaveLength(121);
    expect(failed('train', file, '--target', 'fruit').stderr).toContain('Choose another name with --table');
    expect(failed('train', file, '--target', 'veg', '--table', 'b')).toMatchObject({ status: 2 });
    // what cannot be trained leaves no table behind
    for (let attempt = 0; attempt < 2; attempt++)
      expect(failed('train', file, '--target', 'fruit', '--table', 'c', '--task', 'nosuch').stderr).toContain('nosuch');
  });

  test('status fits into 80 columns and names what there is; logs shows a study', () => {
    const status = run('status');
    expect(status).toContain('mail_text_class'); // cut to the terminal's width
    expect(status.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
    expect(run('logs', '1')).toMatch(/state +completed/);
    expect(failed('logs', '999').stderr).toContain('study 999 does not exist');
    expect(failed('predict', 'nope', 'x.csv').stderr).toContain('"rafiki status" lists the models');
  });

  test('completion is a script that bash accepts', () => {
    const script = execFileSync(process.execPath, [entry, 'completion', 'bash']);
    execFileSync('bash', ['-n'], { input: script });
  });
});

describe('in the end', () => {
  test('dropping the model deletes its parameters, and predicting raises an error', async () => {
    await rafiki.db.query(`select rafiki_drop_model('mail_text_classification')`);
    await expect(rafiki.db.query(`select rafiki_predict('mail_text_classification', 'x')`)).rejects.toMatchObject({
      code: '42704',
    });
  });
});
