import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let db: TestDatabase['db'];
let study: number;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 10);
  const knobs = {
    rate: { group: 'training', kind: 'range', dtype: 'float', min: 1e-4, max: 1, log: true, initial: 0.01 },
    layers: { group: 'architecture', kind: 'range', dtype: 'int', min: 1, max: 5, log: false, initial: 2 },
    pooling: { group: 'architecture', kind: 'categorical', list: ['max', 'mean'], initial: 'max' },
    fixed: { group: 'architecture', kind: 'range', dtype: 'int', min: 1, max: 5, log: false, initial: 2 },
  };
  await db.query(`insert into rafiki.family (name, task, title, knobs) values ('f', 'sentiment', 'f', $1)`, [
    JSON.stringify(knobs),
  ]);
  study = await insertStudy(db, { maxTrials: 60 });
});
afterAll(() => database.drop());

const lines = async (sql: string, values: unknown[]): Promise<string[]> =>
  (await db.query<{ line: string }>(sql, values)).map(({ line }) => line);
const curve = (id: number): Promise<string[]> => lines('select line from rafiki_curve($1) line', [id]);

/** Trials `from` to `to`, whose scores follow from the learning rate, a little from the layers, not from the pooling. */
async function addTrials(id: number, from: number, to: number): Promise<void> {
  await db.query(
    `insert into rafiki.trial (study_id, number, family, knobs, seed, state, score, ended_at)
     select $1, i, 'f', jsonb_build_object('rate', r, 'layers', 1 + i % 5, 'pooling', case when i % 2 = 0 then 'max' else 'mean' end, 'fixed', 2),
       i, 'completed', 0.9 - 0.1 * abs(ln(r / 0.01)) - 0.01 * (i % 5), now() + i * interval '1 s'
     from generate_series($2::int, $3::int) i, lateral (select 10 ^ (-4.0 * (i * 37 % 61) / 61) as r) rates`,
    [id, from, to],
  );
}

describe('settings of a study', () => {
  const train = (model: string): string => `select rafiki_train('sentiment', 'reviews', model => '${model}')`;

  test('are copied from the session that created it', async () => {
    await db.transaction(async (tx) => {
      await tx.query(
        `set local rafiki.alpha_first = '0.5'; set local rafiki.delta = 0.02; set local rafiki.terminator = off`,
      );
      await tx.query(train('set'));
    });
    await db.query(train('usual'));
    const rows = await db.query(
      `select collaborative, alpha_first as first, alpha_last as last, delta, terminator from rafiki.study
       where model in ('set', 'usual') order by model`,
    );
    expect(rows).toEqual([
      { collaborative: true, first: 0.5, last: 0.1, delta: 0.02, terminator: false },
      { collaborative: true, first: 1, last: 0.1, delta: 0.005, terminator: true },
    ]);
  });

  test.each([
    ['rafiki.alpha_last', '1.5', /from 0 to 1/],
    ['rafiki.alpha_first', 'high', /from 0 to 1/],
    ['rafiki.delta', '-1', /not negative/],
    ['rafiki.terminator', 'maybe', /on or off/],
  ])('%s = %s is refused', async (name, value, detail) => {
    const failed = await db
      .transaction((tx) => failureOf(tx, `set local ${name} = '${value}'; ${train('m2')}`))
      .catch((error) => error);
    expect(failed).toMatchObject({
      code: '22023',
      detail: expect.stringMatching(detail),
      hint: expect.stringMatching(/reset/),
    });
  });
});

describe('rafiki_importance', () => {
  test('ranks the most influential knob first, leaves out constant ones, and adds up to 1', async () => {
    await addTrials(study, 1, 60);
    const rows = await db.query<{ family: string; knob: string; importance: number; trials: number }>(
      'select family, knob, importance, trials::int from rafiki_importance($1)',
      [study],
    );
    expect(rows.map(({ knob }) => knob)).toEqual(['rate', expect.any(String), expect.any(String)]);
    expect(rows[0]).toMatchObject({ family: 'f', trials: 60 });
    expect(rows[0]?.importance).toBeGreaterThan(0.7);
    expect(rows.reduce((sum, { importance }) => sum + importance, 0)).toBeCloseTo(1, 2);
  });

  test('explains a missing result after few trials, and names the existing studies for an unknown one', async () => {
    const other = await insertStudy(db, { model: 'few' });
    const session = await db.connect(() => undefined);
    const notices: string[] = [];
    session.onNotice((notice) => notices.push(notice));
    try {
      await session.query(`select from rafiki_importance(${other})`);
      await addTrials(other, 1, 7);
      expect(await session.query(`select from rafiki_importance(${other})`)).toEqual([]);
    } finally {
      await session.close();
    }
    expect(notices).toEqual([
      `study ${other} cannot tell yet what its knobs decide: no trial has ended with a score`,
      `study ${other} cannot tell yet what its knobs decide: of the 8 scored trials that a family needs, f has 7`,
    ]);
    expect(await failureOf(db, 'select rafiki_importance(404)')).toMatchObject({ code: '42704' });
  });
});

describe('rafiki_curve', () => {
  test.each([1, 2, 7, 33, 60, 64, 65, 1000])(
    'draws %s trials within 80 columns, the line never falling',
    async (trials) => {
      const id = await insertStudy(db, { model: `curve${trials}`, maxTrials: trials });
      await addTrials(id, 1, trials);
      const picture = await curve(id);
      expect(Math.max(...picture.map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(picture[0]).toMatch(new RegExp(`best score 0\\.\\d+ after ${trials} of ${trials} trials`));
      const rows = picture.slice(1, -1).map((line) => line.slice(11));
      const columns = Array.from({ length: Math.max(...rows.map((row) => row.length)) }, (_, c) =>
        rows.findIndex((row) => row[c] === '━'),
      );
      expect(columns.every((row, c) => row >= 0 && row <= (columns[c - 1] ?? row))).toBe(true);
      expect(picture.join('')).not.toContain('-'); // no score is below zero, and so is no mark of the axis
      expect(picture.at(-1)).toMatch(trials === 1 ? /1/ : new RegExp(`1 +${trials}$`));
    },
  );

  test('is empty before the first score, and refuses a study that does not exist', async () => {
    const id = await insertStudy(db, { model: 'new' });
    expect(await curve(id)).toEqual([`study ${id}: no trial has ended with a score yet`]);
    expect(await failureOf(db, 'select rafiki_curve(404)')).toMatchObject({ code: '42704' });
  });
});

describe('the report of a study', () => {
  interface Line {
    part: string;
    trial: number | null;
    seconds: number | null;
    share: string | null;
    detail: string;
  }
  const report = (id: number): Promise<Line[]> =>
    db.query('select part, trial, seconds::float8, share, detail from rafiki_report($1)', [id]);

  test('shows where its time went, and what more would likely bring', async () => {
    const id = await insertStudy(db, { model: 'rungs' });
    await db.query(
      `update rafiki.study set state = 'completed', created_at = now(), ended_at = now() + interval '310 s' where id = $1`,
      [id],
    );
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, state, score, epoch, rung, seconds, started_at, ended_at, attempt)
       values ($1, 1, 'resnet', '{}', 1, 'completed', 0.6, 5, 1, 100, now() + interval '2 s', now() + interval '102 s', 0),
         ($1, 2, 'vgg', '{}', 2, 'completed', 0.5, 4, 1, 90, now() + interval '2 s', now() + interval '102 s', 1),
         ($1, 3, 'resnet', '{}', 3, 'completed', 0.8, 20, 2, 200, now() + interval '102 s', now() + interval '302 s', 0)`,
      [id],
    );
    await db.query(
      `update rafiki.trial set parent_id = (select id from rafiki.trial where study_id = $1 and number = 1) where study_id = $1 and number = 3`,
      [id],
    );
    const exponent = Math.min(0.5, Math.log(0.4 / 0.2) / Math.log(300 / 100));
    expect(await report(id)).toEqual([
      { part: 'waiting', trial: null, seconds: 2, share: null, detail: 'until a worker began' },
      { part: 'training', trial: 1, seconds: 100, share: '25 %', detail: 'resnet, rung 1, 5 epochs, score 0.600' },
      {
        part: 'training',
        trial: 2,
        seconds: 100,
        share: '25 %',
        detail: 'vgg, rung 1, 4 epochs, score 0.500, 2 attempts',
      },
      {
        part: 'training',
        trial: 3,
        seconds: 200,
        share: '50 %',
        detail: 'resnet, rung 2, from trial 1, 20 epochs, score 0.800',
      },
      { part: 'end', trial: null, seconds: 8, share: null, detail: 'ensemble and deployment' },
      {
        ...{ part: 'more time', trial: null, seconds: null, share: null },
        detail: `about ${(1 - 0.2 * 2 ** -exponent).toFixed(3)} with twice the time, instead of 0.800, as trial 3 went on from trial 1`,
      },
    ]);
    await db.query(`update rafiki.study set paused_for = '1 h' where id = $1`, [id]); // of which no trial is known to have had a part
    const trained = (await report(id)).filter(({ part }) => part === 'training');
    expect(trained.map(({ seconds, share }) => [seconds, share])).toEqual([
      ...[
        [100, '26 %'],
        [90, '23 %'],
        [200, '51 %'],
      ],
    ]);
  });

  test.each([
    ['accuracy', '; the standard error of a score is 0.040'],
    ['likelihood', ''],
    ['auc', ''],
    ['macro_f1', ''],
  ])('tells the standard error of a score by %s only if that is a share of rows', async (metric, ending) => {
    const id = await insertStudy(db, { model: `by_${metric}` });
    await db.query(`update rafiki.study set state = 'completed', metric = $2, ended_at = now() where id = $1`, [
      id,
      metric,
    ]);
    await db.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, state, score, epoch, rung, seconds, started_at, ended_at)
       values ($1, 1, 'resnet', '{}', 1, 'completed', 0.8, 5, 1, 100, now(), now())`,
      [id],
    );
    await db.query(
      `with model as (insert into rafiki.model (name, owner, task) select model, owner, task from rafiki.study where id = $1 returning id)
       insert into rafiki.model_version (model_id, version, study_id, score, classes, judged_rows) select id, 1, $1, 0.8, '{a,b}', 100 from model`,
      [id],
    );
    const last = (await report(id)).at(-1);
    expect(last).toMatchObject({ part: 'more time', detail: expect.stringMatching(new RegExp(`most are${ending}$`)) });
  });

  test('shows the plan of a running one', async () => {
    const id = await insertStudy(db, { model: 'planned' });
    await db.query(`update rafiki.study set state = 'running', plan = 'measures its first trial' where id = $1`, [id]);
    expect((await report(id)).at(-1)).toMatchObject({ part: 'plan', detail: 'measures its first trial' });
    expect(await db.query('select plan from rafiki.studies where study = $1', [id])).toEqual([
      { plan: 'measures its first trial' },
    ]);
  });

  test('is for the owner of the study, who is no superuser', async () => {
    const alice = await database.as('alice');
    const [own] = await alice.query<{ role: string }>('select current_user as role');
    await db.query('grant select on reviews to public');
    const id = await insertStudy(db, { model: 'of_alice', owner: own!.role });
    expect(await alice.query(`select part from rafiki_report(${id})`)).toEqual([{ part: 'waiting' }]);
    const mallory = await database.as('mallory');
    expect(await failureOf(mallory, `select * from rafiki_report(${id})`)).toMatchObject({ code: '42704' });
  });

  test('of no study is an error', async () => {
    expect(await failureOf(db, 'select * from rafiki_report(999)')).toMatchObject({ code: '42704' });
  });
});
