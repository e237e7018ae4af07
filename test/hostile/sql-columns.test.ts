import { afterAll, beforeAll, expect, test } from 'vitest';
import { Attempts } from '../support/attempts.ts';
import { createStage, type HostileStage } from '../support/hostile-stage.ts';
import { createReviews } from '../support/studies.ts';

/**
 * What another role can find out about a column by comparing it. EXPLAIN ANALYZE counts the rows that a comparison removed and shows that a
 * policy was not evaluated, so bisection finds any value whose operators PostgreSQL marks as LEAKPROOF.
 */
const attempts = new Attempts('columns');
let stage: HostileStage;
beforeAll(async () => {
  stage = await createStage();
  const { db } = stage.database;
  await createReviews(db, 20);
  await db.query('grant select on reviews to public');
  await stage.addModel('hers', stage.modelOwner);
  await stage.modelOwner.session.query(`select rafiki_train('sentiment', 'reviews', model => 'in training')`);
  await db.query(`update rafiki.study set skipped_rows = 1, skipped_example = 'Key (id)=(999)'`);
  await db.query(`
    insert into rafiki.trial (study_id, number, family, knobs, seed, predictions, validation_hash)
    select id, 1, 'fasttext', '{}', 1, '\\x0100', '\\xabcd' from rafiki.study`);
  await db.query(`insert into rafiki.blob (hash, data) values ('\\xfeed', '\\x93a7')`);
  await db.query(`
    with params as (insert into rafiki.params (kind, meta) values ('model', '') returning id)
    insert into rafiki.params_tensor (params_id, name, dtype, shape, role, hash)
    select id, 'a layer', 'uint8', '{2}', 'a role', '\\xfeed' from params`);
  await db.query('update rafiki.model_version set study_id = (select id from rafiki.study)');
  await db.query(`
    insert into rafiki.validation (study_id, hash, classes, labels, trained)
    select id, '\\xabcd', '{neg,pos}', '', '{77}' from rafiki.study`);
  await db.query(`
    insert into rafiki.model_member (version_id, rank, trial_id, family, score, params_id)
    select v.id, 0, t.id, 'fasttext', 1, p.id from rafiki.model_version v, rafiki.trial t, rafiki.params p`);
  await db.query(`insert into rafiki.process (kind, host, pid, version) values ('serving', 'here', 1, '0')`);
  await db.query(`
    insert into rafiki.predict_stat (process_id, model_id, calls, rows, cached, batches, overdue, cold, loads)
    select p.id, m.id, 7, 7, 7, 7, 7, 7, 7 from rafiki.model m, rafiki.process p`);
});
afterAll(async () => {
  attempts.print();
  await stage.stop();
});

/** Whether another role's plans reveal that the comparison holds for a hidden value and not for another one, or the SQLSTATE. */
async function revealed(
  relation: string,
  comparison: string,
  [value, other]: readonly [string, string],
): Promise<string> {
  const plans = new Set<string>();
  for (const each of [value, other]) {
    const sql = `explain (analyze, buffers off, timing off, summary off, costs off, format json)
      select from ${relation} where ${comparison.replace('$', each)}`;
    try {
      const plan = await stage.otherRole.session.query(sql);
      // the plan contains the comparison itself, too
      plans.add(JSON.stringify(plan, (key, part) => (/(Filter|Cond)$/.test(key) && Number.isNaN(+part) ? '' : part)));
    } catch (error) {
      return (error as { code: string }).code;
    }
  }
  return plans.size > 1 ? 'revealed' : 'hidden';
}

test('the attack reads values that only row-level security hides: bytes, texts, and elements of arrays', async () => {
  const { db } = stage.database;
  await db.query(`create table hidden (bytes bytea, words text[]); insert into hidden values ('\\x93a7', '{secret}')`);
  await db.query('alter table hidden enable row level security; grant select on hidden to public');
  await db.query(
    'create policy p on hidden using (pg_has_role(current_user, (select min(oid) from pg_roles), $$usage$$))',
  );
  expect(await revealed('hidden', `bytes = '\\x$'`, ['93a7', '93a8'])).toBe('revealed');
  expect(await revealed('hidden', `words[1] = '$'`, ['secret', 'wonder'])).toBe('revealed');
  expect(await revealed('rafiki.model', `name = '$'`, ['hers', 'none'])).toBe('revealed'); // docs/security.md says so
});

const closed: [relation: string, comparison: string, values: [string, string]][] = [
  ['blob', `data = '\\x$'`, ['93a7', '93a8']],
  ['blob', `hash = '\\x$'`, ['feed', 'feee']],
  ['params_tensor', `name = '$'`, ['a layer', 'b layer']],
  ['params_tensor', `role = '$'`, ['a role', 'b role']],
  ['params_tensor', `hash = '\\x$'`, ['feed', 'feee']],
  ['params_tensor', 'shape[1] = $', ['2', '3']],
  ['trial', `predictions = '\\x$'`, ['0100', '0101']],
  ['trial', `validation_hash = '\\x$'`, ['abcd', 'abce']],
  ['study', `skipped_example = '$'`, ['Key (id)=(999)', 'Key (id)=(998)']],
  ['study', 'ticket is not $', ['null', 'true']],
  ['study', 'reader is not $', ['null', 'true']],
  ['model_version', `classes[1] = '$'`, ['neg', 'bad']],
  ['predict_stat', 'cached = $', ['7', '8']],
];

test('data of rows, labels and weights, and counters, are in no column that can be compared', async () => {
  for (const [relation, comparison, values] of closed)
    attempts.note(`${relation}: ${comparison}`, await revealed(`rafiki.${relation}`, comparison, values), ['42501']);
  expect(attempts.astray()).toEqual([]);
});

const shown: typeof closed = [
  ['study_ownership', `skipped_example = to_jsonb('$'::text)`, ['Key (id)=(999)', 'Key (id)=(998)']],
  ['study_ownership', `skipped_example #>> '{}' = '$'`, ['Key (id)=(999)', 'Key (id)=(998)']],
  ['version_classes', `classes[1] = '$'`, ['neg', 'bad']],
  ['version_classes', `'$' = any (classes)`, ['neg', 'bad']],
  ['trained_inputs', 'trained[1] = $', ['77', '78']],
  ['models', 'classes = $', ['2', '3']],
  ...['calls', 'rows', 'cached', 'batches', 'overdue'].map((each): (typeof closed)[number] => [
    'stat_predict',
    `${each} = $`,
    ['7', '8'],
  ]),
  ...['loads', 'cold', 'computed'].map((each): (typeof closed)[number] => ['stat_memory', `${each} = $`, ['7', '0']]),
];

test('nor are they revealed by the views that show them to roles with the right', async () => {
  for (const [relation] of shown)
    expect(await stage.modelOwner.session.query(`select from rafiki.${relation}`), relation).toHaveLength(1);
  for (const [relation, comparison, values] of shown)
    attempts.note(`${relation}: ${comparison}`, await revealed(`rafiki.${relation}`, comparison, values), ['hidden']);
  expect(attempts.astray()).toEqual([]);
});
