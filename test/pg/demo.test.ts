import { expect, test } from 'vitest';
import { loadTables } from '../../src/cli/demo/demo.ts';
import { createTestDatabase } from '../support/postgres.ts';

test('the demo’s tables have keys, and every row is in one of them', async () => {
  const { db, drop } = await createTestDatabase();
  try {
    const rows = Array.from({ length: 600 }, (_, i) => ({ label: i % 2 === 0 ? 'ham' : 'spam', text: `mail ${i}` }));
    await loadTables(db, 'text_classification', 'mails', rows);
    for (const table of ['mails', 'mails_held_out'])
      expect(
        await db.query(`select from pg_index where indrelid = $1::text::regclass and indisprimary`, [table]),
      ).toHaveLength(1);
    const [counted] = await db.query<{ kept: number; heldOut: number }>(
      `select (select count(*)::int from mails) as kept, (select count(*)::int from mails_held_out) as "heldOut"`,
    );
    expect(counted!.kept + counted!.heldOut).toBe(600);
    expect(counted!.heldOut).toBeGreaterThan(60);
  } finally {
    await drop();
  }
});
