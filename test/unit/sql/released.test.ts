import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { released } from '../../support/released.ts';

test('the tables of 0.1.0 are made as 0.1.0 made them: what was released never changes', () => {
  const script = released('rafiki--0.1.0');
  const [, shipped = ''] = /^-- incremental\/0001-tables\.sql\n([\s\S]*?)\n-- idempotent\//.exec(script) ?? [];
  expect(shipped.length).toBeGreaterThan(10_000);
  const file = readFileSync(new URL('../../../sql/incremental/0001-tables.sql', import.meta.url), 'utf8');
  expect(file.trim()).toBe(shipped.trim());
});
