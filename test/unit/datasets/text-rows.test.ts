import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textLines } from '../../../src/datasets/text-rows.ts';
import { classification } from '../../../src/domain/kinds/classification.ts';

interface TextRow {
  label: string;
  input: string;
}

const linesOf = (rows: readonly TextRow[]): Buffer =>
  Buffer.from(rows.map(({ label, input }) => `[${JSON.stringify(label)}, ${JSON.stringify(input)}]\n`).join(''));

async function filtered(bytes: Buffer, chunkBytes: number, onBadRow: 'error' | 'skip' = 'skip') {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }
  const skipped = { rows: 0, example: null };
  const parts: Buffer[] = [];
  for await (const part of textLines(chunks(), { kind: classification, onBadRow, skipped })) parts.push(part);
  return { bytes: Buffer.concat(parts), largest: Math.max(0, ...parts.map(({ length }) => length)), skipped };
}

const character = fc.constantFrom('a', 'é', '🙂', '"', '\\', '\n', '\u0001', ',');
const label = (count: number): fc.Arbitrary<string> =>
  fc.array(character, { minLength: count, maxLength: count }).map((all) => all.join(''));
const row = fc.record({
  label: fc.oneof(label(0), label(3), label(1000), label(1001), label(9000)),
  input: fc.oneof(fc.string(), fc.constant('x'.repeat(20_000))),
});

test('lines whose label has more than 1000 characters are left out and counted, wherever chunks begin and end', async () => {
  const chunk = fc.constantFrom(1, 7, 4096, 65536);
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 6 }), chunk, async (rows, chunkBytes) => {
      const fit = rows.filter((each) => [...each.label].length <= 1000);
      const first = rows.findIndex((each) => [...each.label].length > 1000);
      const { bytes, skipped } = await filtered(linesOf(rows), chunkBytes);
      expect(bytes.equals(linesOf(fit))).toBe(true);
      expect(skipped).toEqual({
        rows: rows.length - fit.length,
        example: first < 0 ? null : `Row ${first + 1} as read: It has more than 1000 characters.`,
      });
    }),
    { numRuns: 60 },
  );
});

test('a long line passes in pieces, and a long label is let go as it comes', async () => {
  const rows = [
    { label: 'a', input: 'x'.repeat(10 ** 6) },
    { label: 'b'.repeat(10 ** 6), input: 'y' },
  ];
  const { largest, bytes } = await filtered(linesOf(rows), 1000);
  expect(bytes.equals(linesOf(rows.slice(0, 1)))).toBe(true);
  expect(largest).toBeLessThan(10_000);
});

test('such a label ends the study where it does not skip, and the row is named', async () => {
  const rows = [
    { label: 'a', input: 'x' },
    { label: 'b'.repeat(1001), input: 'y' },
  ];
  await expect(filtered(linesOf(rows), 64, 'error')).rejects.toMatchObject({
    sqlstate: '22000',
    message: 'a label is too long',
    detail: 'Row 2 as read: It has more than 1000 characters.',
    hint: expect.stringContaining(`on_bad_row => 'skip'`),
  });
});
