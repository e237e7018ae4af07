import { expect, test } from 'vitest';
import type { RoleTransaction } from '../../../src/db/role-login.ts';
import { loadTexts } from '../../../src/http/upload/texts.ts';
import { noDestination } from '../../support/no-destination.ts';

const MEGABYTE = 1_000_000;

/** Uploads CSV into a database that counts the rows; resolves with them and the parts that were read. */
async function uploaded(parts: Iterable<string>): Promise<{ rows: number; read: number; refusal: unknown }> {
  const seen = { rows: 0, read: 0, refusal: undefined as unknown };
  const on: RoleTransaction = {
    query: async <Row>() => [{ rows: 1 }] as Row[],
    async copyIn(_, rows) {
      for await (const _row of rows) seen.rows++;
    },
  };
  async function* bytes() {
    for (const part of parts) {
      seen.read++;
      yield Buffer.from(part);
    }
  }
  await loadTexts(on, { format: 'csv', bytes: bytes() }, noDestination).catch((error) => {
    seen.refusal = error;
  });
  return seen;
}

test.each([
  ['commas', ',', ','],
  ['a text whose quote is not closed', '"', 'x'],
])('a row of %s is refused long before its end', { timeout: 60_000 }, async (_, begin, character) => {
  const part = character.repeat(MEGABYTE);
  const { read, refusal } = await uploaded([`a\n1\n${begin}`, ...Array.from({ length: 64 }, () => part)]);
  expect(refusal).toMatchObject({ sqlstate: '22000', message: 'a row of the uploaded file is too long' });
  expect(read).toBeLessThan(24);
});

test('rows and empty lines may be as many as they are', { timeout: 60_000 }, async () => {
  const [rows, empty] = ['1\n'.repeat(1000), '\n'.repeat(MEGABYTE)];
  const seen = await uploaded(['a\n', ...Array.from({ length: 20 }, () => empty + rows)]);
  expect(seen).toMatchObject({ rows: 20_000, refusal: undefined });
});
