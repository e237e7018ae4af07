import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { urlAs } from '../../src/cli/logins.ts';
import { createStage, type HostileStage, untilReady } from '../support/hostile-stage.ts';
import { callables, complaints, furnish, fuzz } from '../support/sql-fuzz.ts';

/** Generated calls, the same in every run; others, ten times as many, are made by `npm run -s bench -- fuzz`. */
let stage: HostileStage;
beforeAll(async () => {
  stage = await createStage();
  await stage.serve();
  for (const model of ['m', 'm2']) await stage.addModel(model, stage.modelOwner);
  for (const model of ['m', 'm2']) await untilReady(stage, model);
  await furnish(stage.database.db, stage.modelOwner.sql);
});
afterAll(() => stage.stop());

test('no call ends in an internal error, breaks a backend or makes a statement of ours fail', async () => {
  const { db, url } = stage.database;
  const [{ dir }] = (await db.query(`select current_setting('data_directory') as dir`)) as [{ dir: string }];
  const log = path.join(path.dirname(dir), 'postgres.log');
  const begins = readFileSync(log, 'utf8').length;
  const seed = Number(process.env['RAFIKI_SEED'] ?? 1);
  const result = await fuzz(urlAs(url, stage.modelOwner.name, 'secret'), await callables(db), { runs: 1000, seed });
  console.log(`sql fuzz: ${result.calls} calls from seed ${seed}, ${Object.keys(result.states).length} SQLSTATEs`);
  expect(result.wrong).toEqual([]);
  expect(complaints(readFileSync(log, 'utf8').slice(begins))).toEqual([]);
});
