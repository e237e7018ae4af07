import { afterAll, beforeAll, expect, test } from 'vitest';
import { textTypes } from '../../src/domain/text-types.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const [days, hours] = [
  ['2024-02-29', '2023-02-29', '2000-02-29', '1900-02-29', '2026-02-30', '2026-04-31', '2026-12-31', '0000-01-01'],
  ['00:00', '23:59:59.123456789', '24:00', '12:60', '07:05:60', '7:05'],
];
const zones = ['', 'Z', '+02', '-0930', '+14:59', '+15', '+2', ' UTC'];
const values = [
  ...['0', '-0', '+7', '007', '1.', '.5', '-.5e-3', '1e99', '1e100', '1e', '.', '1,000', ' 1', '1 ', '1\n', 'NaN', ''],
  ...['9'.repeat(18), '9'.repeat(19), '9'.repeat(38), '9'.repeat(39), `0.${'9'.repeat(40)}`, '٣', '1_000', '0x10'],
  ...['true', 'FALSE', 't', 'yes', 'true\n', ...days, ...days.map((day) => `${day} BC`)],
  ...days.flatMap((day) =>
    hours.flatMap((hour) => zones.flatMap((zone) => [`${day} ${hour}${zone}`, `${day}T${hour}${zone}`])),
  ),
];

test.each(textTypes)('what looks like $type here does in Postgres, which can cast it', async ({ type, pattern }) => {
  const own = values.filter((value) => new RegExp(pattern).test(value));
  const theirs = await database.db.query<{ value: string }>(
    `select v as value from unnest($1::text[]) with ordinality as u (v, n) where v ~ '${pattern}' order by n`,
    [values],
  );
  expect(theirs.map(({ value }) => value)).toEqual(own);
  expect(own.length).toBeGreaterThan(1);
  await database.db.query(`select v::${type} from unnest($1::text[]) v`, [own]);
});
