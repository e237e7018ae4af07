import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { insertTrial } from '../../src/db/statements/trials.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createWorker } from '../../src/worker/create-worker.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, eventually, insertStudy } from '../support/studies.ts';

let database: TestDatabase;
let cacheDir: string;
beforeEach(async () => {
  database = await createTestDatabase();
  cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-notify-'));
});
afterEach(async () => {
  await database.drop();
  rmSync(cacheDir, { recursive: true });
});

class CountingDatabase extends Database {
  queries = 0;

  override query<Row>(sql: string, values?: readonly unknown[]): Promise<Row[]> {
    this.queries++;
    return super.query<Row>(sql, values);
  }
}

test.each(['rafiki_stop', 'rafiki_round', 'rafiki_trial'])(
  'during a flood of forged notifications on %s, a worker queries only now and then, and its trial continues',
  async (channel) => {
    const { db, service } = database;
    const counting = new CountingDatabase({ url: service.url, application: 'test', logger: silentLogger });
    await createReviews(db);
    await db.query('create view slow as select r.* from pg_sleep(20), reviews r');
    const studyId = await insertStudy(db, { source: 'slow' });
    await insertTrial(db, { studyId, number: 1, family: 'fasttext', knobs: {}, seed: 1, initialWeights: 'random' });
    await db.query(`update rafiki.study set state = 'running', started_at = now()`);
    const worker = createWorker({ database: counting, threads: 1, cores: 1, cacheDir, logger: silentLogger });
    await worker.start();
    try {
      const { id } = await eventually<{ id: number }>(db, `select id from rafiki.trial where state = 'running'`);
      const otherRole = await database.as('other_role');
      const flood = `begin for i in 1..2000 loop perform pg_notify('${channel}', '${id}'); commit; end loop; end`;
      const before = counting.queries;
      await otherRole.query(`do $$ ${flood} $$`);
      await expect.poll(() => counting.queries).toBeGreaterThan(before);
      expect(counting.queries - before).toBeLessThan(400); // of 2,000 notifications
      expect(await db.query(`select state from rafiki.trial where state <> 'running'`)).toEqual([]);
    } finally {
      await worker.stop();
      await counting.stop();
    }
  },
);
