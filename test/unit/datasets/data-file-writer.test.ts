import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { skipRow } from '../../../src/datasets/bad-row.ts';
import { byteLimit, DataFileWriter } from '../../../src/datasets/data-file-writer.ts';
import { BadData, DataTooLarge } from '../../../src/errors/errors.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-writer-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** Whether this process has the file open; Linux alone can tell. */
function isOpen(file: string): boolean {
  const descriptors = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the one that listed the folder
    }
  });
  return descriptors.includes(file);
}

const closed = (writer: DataFileWriter): Promise<void> =>
  new Promise((resolve) => {
    writer.on('error', () => undefined);
    writer.once('close', resolve);
  });

test('a data file ends with the hash of its bytes, and is closed', async () => {
  const file = path.join(dir, 'rows');
  const writer = new DataFileWriter(file);
  writer.write('one');
  writer.end('two');
  await closed(writer);
  const hash = createHash('sha256').update('onetwo').digest();
  expect(readFileSync(file)).toEqual(Buffer.concat([Buffer.from('onetwo'), hash]));
  if (process.platform === 'linux') expect(isOpen(file)).toBe(false);
});

test('a data file that is given up in the middle of a write is closed', async () => {
  const file = path.join(dir, 'broken');
  const writer = new DataFileWriter(file);
  writer.write('x'.repeat(1_000_000));
  writer.destroy(new Error('the source broke'));
  await closed(writer);
  expect(writer.errored).toMatchObject({ message: 'the source broke' });
  if (process.platform === 'linux') expect(isOpen(file)).toBe(false);
});

test('a file that is there is not written over', async () => {
  const file = path.join(dir, 'taken');
  for (const ok of [true, false]) {
    const writer = new DataFileWriter(file);
    writer.end('x');
    await closed(writer);
    expect(writer.errored).toEqual(ok ? null : expect.objectContaining({ code: 'EEXIST' }));
  }
});

test('a source may have so many bytes, and no more', () => {
  const count = byteLimit(100);
  count(60);
  count(40);
  expect(() => count(1)).toThrowError(DataTooLarge);
});

test('a row that cannot be used ends the study or is left out; other errors are passed on', () => {
  const skipped = { rows: 0, example: null };
  const bad = { name: 'row 7', error: new BadData('no', { detail: 'why' }) };
  skipRow(bad, { onBadRow: 'skip', skipped });
  skipRow({ ...bad, name: 'row 8' }, { onBadRow: 'skip', skipped });
  expect(skipped).toEqual({ rows: 2, example: 'row 7: why' });
  expect(() => skipRow(bad, { onBadRow: 'error', skipped })).toThrowError(
    expect.objectContaining({ detail: 'row 7: why', hint: expect.stringContaining("on_bad_row => 'skip'") }),
  );
  const broken = new TypeError('ours');
  expect(() => skipRow({ name: 'row 9', error: broken }, { onBadRow: 'skip', skipped })).toThrowError(broken);
  expect(skipped.rows).toBe(2);
});
