import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { Database } from '../../src/db/database.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { askPython, hasPython } from '../support/python-peer.ts';
import { failureOf } from '../support/sql-failure.ts';
import { createReviews, studyEnd } from '../support/studies.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.db;
  await createReviews(db, 200);
  await db.query(`alter table reviews add written_at timestamp, add held boolean`);
  await db.query(
    `update reviews set written_at = timestamp '2026-01-01' + id * interval '1 day', held = id % 10 in (0, 5)`,
  );
});
afterAll(() => database.drop());

describe('own validation rows', () => {
  let cacheDir: string;
  let services: Service[];
  beforeAll(async () => {
    cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-cache-'));
    services = [
      createCoordinator({ database: database.service, logger }),
      createWorker({ database: database.service, threads: 1, cores: 2, cacheDir, logger }),
    ];
    await startAll(services);
  });
  afterAll(async () => {
    await stopAll(services);
    rmSync(cacheDir, { recursive: true });
  });

  /** The number of rows that the study's trials were scored on, of how many were trained on, and its score. */
  async function train(options: string): Promise<{ valid: number; trained: number; score: number; notice: string }> {
    const [made] = await db.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', families => '{fasttext}', knobs => '{"epochs": 4}', max_trials => 1, seed => 1, ${options}) as id`,
    );
    expect(await studyEnd(db, made!.id)).toMatchObject({ state: 'completed' });
    const [row] = await db.query<{ valid: number; trained: number; score: number; notice: string }>(
      `select octet_length(v.labels) / 2 as valid, cardinality(v.trained) as trained, m.score, s.notice
       from rafiki.validation v join rafiki.model_version m on m.study_id = v.study_id join rafiki.study s on s.id = v.study_id
       where v.study_id = $1`,
      [made!.id],
    );
    return row!;
  }

  test('are chosen by a boolean column, or by times after a moment', async () => {
    expect(await train(`model => 'a', validation_split => 'held'`)).toMatchObject({ valid: 40, trained: 160 });
    // later than 1 July, which is day 181; in the zone of the caller
    expect(await train(`model => 'b', validation_after => '2026-07-01'`)).toMatchObject({ valid: 19, trained: 181 });
  });

  test('that share no class with the training rows are refused, also if only the worker can detect it', async () => {
    await db.query(`create table other_words as select upper(label) as label, body || ' once more' as body from reviews;
      create table same_rows as select * from reviews where label = 'pos'`);
    expect(
      await failureOf(
        db,
        `select rafiki_train('sentiment', 'reviews', model => 'x', validation_source => 'other_words')`,
      ),
    ).toEqual({
      code: '22023',
      message: 'the rows to train on and those to validate on share no class',
      detail: 'To train on: 2 classes, such as "neg". To validate on: 2 classes, such as "NEG".',
      hint: expect.stringContaining('write the labels of both alike'),
    });
    // "pos" is in both, but all of its texts are validated on, and so not trained on
    const [made] = await db.query<{ id: number }>(
      `select rafiki_train('sentiment', 'reviews', model => 'same', families => '{fasttext}', validation_source => 'same_rows') as id`,
    );
    expect(await studyEnd(db, made!.id)).toMatchObject({
      state: 'failed',
      error: {
        sqlstate: '22023',
        message: 'the rows to train on and those to validate on share no class',
        detail: expect.stringContaining(
          'To train on: 1 classes, such as "neg". To validate on: 1 classes, such as "pos".',
        ),
      },
    });
  });

  test('may be in a separate table, whose texts are not trained on', async () => {
    await db.query(`create table judge as select label, body from reviews where id <= 30
      union all select case label when 'pos' then 'neg' else 'pos' end, body || ' again' from reviews where id <= 10`);
    const { valid, trained, score } = await train(`model => 'c', validation_source => 'judge'`);
    expect({ valid, trained }).toEqual({ valid: 40, trained: 170 });
    expect(score).toBeCloseTo(0.75, 1); // the last ten are mislabelled
  });

  test.each([
    ['macro_f1', 0.6],
    ['likelihood', 0.3],
    ['auc', 0.8],
  ])('compare trials by %s', async (metric, min) => {
    const { score } = await train(`model => 'by_${metric}', metric => '${metric}', class_weights => 'balanced'`);
    expect(score).toBeGreaterThan(min);
    const [trial] = await db.query(
      `select t.score from rafiki.trial t join rafiki.study s on s.id = t.study_id where s.model = 'by_${metric}' and t.refits is null`,
    );
    expect(trial).toEqual({ score });
  });

  test('exclude their column from the labels: a boolean column that splits the rows is no candidate', async () => {
    await db.query('create table part as select id, label as mood, body, held as sp from reviews');
    const [made] = await db.query<{ id: number }>(
      `select rafiki_train('sentiment', 'part', features => '{body}', validation_split => 'sp', max_trials => 1) as id`,
    );
    expect(await db.query('select target from rafiki.study where id = $1', [made?.id])).toEqual([{ target: 'mood' }]);
    await db.query('select rafiki_cancel($1)', [made?.id]);
  });

  test('cause a notice with the number of rows that the deployed version was trained on', async () => {
    await train(`model => 'by_share'`);
    await db.query(`update rafiki.deployment set state = 'ready'`);
    await train(`model => 'by_share', validation_split => 'held'`);
    const [row] = await db.query<{ counted: number; trained: number }>(
      `select s.incumbent_trained as counted,
         (select count(*)::int from reviews where held and rafiki._input_hash(body) = any (v.trained)) as trained
       from rafiki.study s
       join rafiki.validation v on v.study_id = (select min(f.id) from rafiki.study f where f.model = s.model)
       where s.model = 'by_share' and s.validation_split = 'held'`,
    );
    expect(row?.counted).toBeGreaterThan(20);
    expect(row?.counted).toBe(row?.trained);
    await db.query(`select rafiki_drop_model('by_share')`);
  });

  test('cause a notice if a model is no better than a constant answer', async () => {
    await db.query(
      `create table noise as select id as number, case when id % 4 = 0 then 'a' else 'b' end as label, md5(id::text) as body from reviews`,
    );
    const [made] = await db.query<{ id: number }>(
      `select rafiki_train('text_classification', 'noise', features => '{body}', families => '{fasttext}', knobs => '{"epochs": 4, "learning_rate": 0.001}', max_trials => 1, seed => 1) as id`,
    );
    expect((await studyEnd(db, made!.id)).notice).toMatch(
      /Its score 0\.\d{4} is no better than that of a constant prediction, 0\.\d{4}\./,
    );
  });

  test('show rows that were trained on to the owner of the model', async () => {
    await db.query(`update rafiki.deployment set state = 'ready'`);
    const [test_] = await db.query<{ rows: number; trained: number }>(
      `select count(*)::int as rows, count(*) filter (where rafiki._input_hash(body) in (
         select unnest(t.trained) from rafiki.trained_inputs t join rafiki.model m on m.id = t.model_id where m.name = 'a'))::int as trained
       from reviews`,
    );
    expect(test_).toEqual({ rows: 200, trained: 160 });
    const mallory = await database.as('mallory');
    expect(await mallory.query('select from rafiki.trained_inputs')).toEqual([]);
  });
});

test.each([
  [`validation_split => 'held', validation_source => 'reviews'`, '22023', /two options/],
  [`validation_split => 'held', validation => 0.1`, '22023', /validation is given, but the rows .* are chosen/],
  [`validation_source => 'reviews'`, '22023', /the source itself/],
  [`validation_split => 'label'`, '42804', /cannot choose the validation rows/],
  [
    `validation_split => 'label', target => 'label', validation_after => '2026-01-01'`,
    '42804',
    /has no dates or times/,
  ],
  [`validation_after => '2030-01-01'`, 'P0002', /no row to validate on/],
  [`validation_after => '2020-01-01'`, 'P0002', /no row to train on/],
  [`validation_split => 'nothing'`, '42703', /does not exist/],
  [`metric => 'loss'`, '22023', /metric "loss" does not exist/],
])('rafiki_train refuses %s', async (options, code, message) => {
  expect(await failureOf(db, `select rafiki_train('sentiment', 'reviews', model => 'x', ${options})`)).toMatchObject({
    ...{ code, message: expect.stringMatching(message), hint: expect.any(String) },
  });
});

/** Rows {actual, label, probabilities} of three classes, with equal probabilities among them. */
const details = (() => {
  const rng = createRng(5);
  const classes = ['a', 'b', 'c'];
  return Array.from({ length: 150 }, (_, i) => {
    const raw = classes.map((_name, c) => Math.round(rng.uniform() * 6) + (c === i % 3 ? 3 : 0) + 0.5);
    const sum = raw.reduce((all, one) => all + one, 0);
    const probabilities = Object.fromEntries(classes.map((name, c) => [name, raw[c]! / sum]));
    return { actual: classes[i % 3]!, label: classes[raw.indexOf(Math.max(...raw))]!, probabilities };
  });
})();
const judged = details.map(({ actual, label }) => ({ actual, predicted: label, row_count: 1 }));

interface Scored {
  label?: string;
  metric: string;
  value: number;
  low: number;
  high: number;
}

describe('intervals', () => {
  test('of accuracy are Wilson’s', async () => {
    // Newcombe 1998, table I: 81 of 263 lies in 0.2553 to 0.3662, 0 of 20 in 0 to 0.1611, 29 of 29 in 0.8830 to 1
    for (const [hits, n, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [0, 20, 0, 0.1611],
      [29, 29, 0.883, 1],
    ]) {
      const [row] = await db.query<Scored>('select * from rafiki._wilson($1, $2, rafiki._z(0.95))', [hits, n]);
      expect(row?.low).toBeCloseTo(low!, 4);
      expect(row?.high).toBeCloseTo(high!, 4);
    }
  });

  test('of macro F1 are as wide as those found by resampling', async () => {
    const scores = async (rows: unknown[]): Promise<Scored | undefined> =>
      (
        await db.query<Scored>(`select * from rafiki._class_scores($1, rafiki._z(0.95)) where metric = 'macro_f1'`, [
          JSON.stringify(rows),
        ])
      )[0];
    const whole = await scores(judged);
    const rng = createRng(3);
    const again: number[] = [];
    for (let round = 0; round < 300; round++) {
      const drawn = judged.map(() => judged[Math.floor(rng.uniform() * judged.length)]);
      again.push((await scores(drawn))!.value);
    }
    const mean = again.reduce((sum, one) => sum + one, 0) / again.length;
    const deviation = Math.sqrt(again.reduce((sum, one) => sum + (one - mean) ** 2, 0) / again.length);
    const half = (whole!.high - whole!.low) / 2;
    expect(half / (1.96 * deviation)).toBeGreaterThan(0.85); // a deviation of 300 draws is right to 4 %
    expect(half / (1.96 * deviation)).toBeLessThan(1.15);
  });

  test('exist for three confidences', async () => {
    expect(await failureOf(db, 'select rafiki._z(0.5)')).toMatchObject({ code: '22023', detail: 'It is 0.5.' });
  });
});

const hasScikit = hasPython('sklearn');
const peer = `
import json, sys, numpy as np
from sklearn import metrics as m
d = json.load(sys.stdin); names = sorted({r["actual"] for r in d})
y = [r["actual"] for r in d]; said = [r["label"] for r in d]
p, r, f, n = m.precision_recall_fscore_support(y, said, labels=names)
print(json.dumps({c: {"precision": p[i], "recall": r[i], "f1": f[i],
  "auc": m.roc_auc_score([a == c for a in y], [x["probabilities"][c] for x in d])} for i, c in enumerate(names)}))`;

describe('rafiki_class_report', () => {
  test.skipIf(!hasScikit)("equals scikit-learn's", async () => {
    const theirs = askPython(peer, details) as Record<string, Record<string, number>>;
    const ours = await db.query<Scored>('select * from rafiki._class_report($1, rafiki._z(0.95))', [
      JSON.stringify(details),
    ]);
    expect(ours.map(({ label, metric }) => `${label} ${metric}`)).toEqual(
      ['a', 'b', 'c'].flatMap((label) => ['precision', 'recall', 'f1', 'auc'].map((metric) => `${label} ${metric}`)),
    );
    for (const { label = '', metric, value, low, high } of ours) {
      expect(value, `${label} ${metric}`).toBeCloseTo(theirs[label]?.[metric] ?? Number.NaN, 9);
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
    }
  });

  test('has the standard error of Hanley and McNeil for the area under the curve', async () => {
    // one of ten pairs is the wrong way round: A = 0.9, n = 2, m = 5
    const rows = [0.9, 0.5, 0.6, 0.4, 0.3, 0.2, 0.1].map((p, i) => ({
      ...{ actual: i < 2 ? 'a' : 'b', label: p > 0.5 ? 'a' : 'b' },
      probabilities: { a: p, b: 1 - p },
    }));
    const [auc] = await db.query<Scored>(
      `select * from rafiki._class_report($1, 1) where label = 'a' and metric = 'auc'`,
      [JSON.stringify(rows)],
    );
    const a = 0.9;
    const error = Math.sqrt((a * (1 - a) + (a / (2 - a) - a * a) + 4 * ((2 * a * a) / (1 + a) - a * a)) / 10);
    expect(auc?.value).toBeCloseTo(a, 9);
    expect(auc?.low).toBeCloseTo(a - error, 9);
  });
});
