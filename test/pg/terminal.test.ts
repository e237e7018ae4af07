import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { overview } from '../../src/cli/terminal/overview.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createReviews, insertStudy } from '../support/studies.ts';

/** The commands of the terminal, as processes where it matters how they end. No worker runs: studies wait. */
vi.setConfig({ testTimeout: 300_000 });
const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
let database: TestDatabase;
let dir: string;
const running: ReturnType<typeof rafiki>[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  dir = await mkdtemp(path.join(tmpdir(), 'rafiki-terminal-'));
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
  await database.drop();
});

function rafiki(...words: string[]): ChildProcessByStdio<null, Readable, Readable> {
  const args = [entry, ...words, '--database-url', database.url];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  return child;
}

/** What it has printed when `pattern` is there. */
async function untilPrinted(from: Readable, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  for await (const part of from.iterator({ destroyOnReturn: false })) {
    text += String(part);
    const found = pattern.exec(text);
    if (found !== null) return found;
  }
  throw new Error(`it ended, and has printed: ${text}`);
}

test('Ctrl-C in train says that the study goes on, and how it is cancelled', async () => {
  const file = path.join(dir, 'notes.csv');
  const rows = Array.from({ length: 40 }, (_, i) => `a text of ${i},${i % 2 === 0 ? 'even' : 'odd'}`);
  await writeFile(file, ['body,label', ...rows].join('\n'));
  const child = rafiki('train', file, '--target', 'label');
  const [, study] = await untilPrinted(child.stdout, /study (\d+) is queued/);
  child.stdout.resume();
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const [said] = await untilPrinted(child.stderr, /HINT.*\n/s);
  expect(said).toContain(`select rafiki_cancel(${study})`);
  expect(await ended).toEqual([1, null]);
  const [row] = await database.db.query('select state from rafiki.study where id = $1', [study]);
  expect(row).toEqual({ state: 'queued' });
});

test('top ends when nobody reads it any more', async () => {
  const child = rafiki('top');
  const ended = once(child, 'exit');
  await untilPrinted(child.stdout, /processes/);
  child.stdout.destroy();
  expect(await ended).toEqual([0, null]);
});

test('status says how many more there are than it shows', async () => {
  await createReviews(database.db, 10);
  const [before] = await database.db.query<{ n: number }>('select count(*)::int as n from rafiki.study');
  for (let i = before!.n; i < 8; i++) await insertStudy(database.db, { model: `m${i}` });
  expect(await overview(database.db)).not.toMatch(/and \d+ more/);
  for (const i of [8, 9, 10]) await insertStudy(database.db, { model: `m${i}` });
  expect(await overview(database.db)).toMatch(/studies\n.*\n and 3 more\n\nmodels\n/s);
});
