import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFileLock } from '../../../src/runtime/disk/file-lock.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-lock-'));
  file = path.join(dir, 'x.lock');
});
afterEach(() => rmSync(dir, { recursive: true }));

const never = new AbortController().signal;
const times = { renewMs: 50, staleMs: 1000, waitMs: 60_000 };

/** Another process that holds the lock until it is killed. */
async function holder(): Promise<ChildProcess> {
  const module = path.join(import.meta.dirname, '../../../src/runtime/disk/file-lock.ts');
  const script = `import(${JSON.stringify(module)}).then(({ withFileLock }) =>
    withFileLock(${JSON.stringify(file)}, new AbortController().signal, () => new Promise(() => {
      process.stdout.write('held');
    }), ${JSON.stringify(times)}));`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

test('lets one work at a time, and leaves nothing behind, after a failure either', async () => {
  let [now, max] = [0, 0];
  const work = async (): Promise<void> => {
    max = Math.max(max, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withFileLock(file, never, work, times)));
  expect(max).toBe(1);
  const failing = withFileLock(file, never, () => Promise.reject(new Error('broken')), times);
  await expect(failing).rejects.toThrow('broken');
  expect(readdirSync(dir)).toEqual([]);
});

test('waits for a holder as long as it lives, and not for one that was killed', async () => {
  const child = await holder();
  const patience = { ...times, waitMs: 3 * times.staleMs };
  const early = withFileLock(file, never, () => Promise.resolve('early'), patience);
  await expect(early).rejects.toMatchObject({ sqlstate: '53400', detail: expect.stringContaining(file) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(file)).toBe(true);
  expect(await withFileLock(file, never, () => Promise.resolve('late'), times)).toBe('late');
});

test('stops waiting when aborted', async () => {
  const abort = new AbortController();
  let end = (): void => undefined;
  let held: Promise<void> | undefined;
  await new Promise<void>((began) => {
    const work = (): Promise<void> => {
      began();
      return new Promise((resolve) => {
        end = resolve;
      });
    };
    held = withFileLock(file, never, work, times);
  });
  const waiting = withFileLock(file, abort.signal, () => Promise.resolve(), times);
  abort.abort();
  await expect(waiting).rejects.toThrow('abort');
  end();
  await held;
});
