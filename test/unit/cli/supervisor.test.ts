import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SupervisedChild } from '../../../src/cli/up/supervisor.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

let dir: string;
let logFile: string;
let child: SupervisedChild | undefined;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-supervisor-'));
  logFile = path.join(dir, 'rafiki.log');
});
afterEach(async () => {
  await child?.stop();
  child = undefined;
  rmSync(dir, { recursive: true });
});

/** Supervises a process that runs `code`. */
function supervised(code: string): SupervisedChild {
  const entry = path.join(dir, 'entry.mjs');
  writeFileSync(
    entry,
    `import { appendFileSync, existsSync } from 'node:fs';\nconst dir = ${JSON.stringify(dir)};\n${code}`,
  );
  child = new SupervisedChild(
    { name: 'worker 1', args: [], env: process.env },
    { entry, logFile, logger: silentLogger },
  );
  return child;
}

const isReady = `process.send('ready'); process.on('disconnect', () => process.exit());`;

test('a child that cannot start is given up, with its last words and where the log is', async () => {
  writeFileSync(logFile, 'of an earlier start\n');
  const starting = supervised(`
    console.error('{"level":30,"pid":1,"msg":"of another process"}');
    console.error('{"level":30,"pid":' + process.pid + ',"msg":"own"}');
    console.error('rafiki: port 9400 is in use');
    process.exit(1);`).start();
  await expect(starting).rejects.toMatchObject({
    sqlstate: '58000',
    message: 'worker 1 does not start',
    detail: expect.stringMatching(/^\{"level":30,"pid":\d+,"msg":"own"\}\nrafiki: port 9400 is in use$/),
    hint: `See ${logFile}.`,
  });
});

test('one that says nothing is given up with how it ended', async () => {
  const starting = supervised(`process.kill(process.pid, 'SIGKILL');`).start();
  await expect(starting).rejects.toMatchObject({ detail: 'It ended with {"code":null,"signal":"SIGKILL"}.' });
});

test('one that was ready once is restarted for ever, however often it fails', async () => {
  await supervised(`
    appendFileSync(dir + '/starts', '.');
    if (!existsSync(dir + '/was-ready')) {
      appendFileSync(dir + '/was-ready', '');
      process.send('ready', () => process.exit(1));
    } else process.exit(1);`).start();
  await expect.poll(() => readFileSync(path.join(dir, 'starts'), 'utf8').length).toBeGreaterThanOrEqual(5);
});

test('a log that cannot be opened is a failed try: it ends nothing else', async () => {
  logFile = path.join(dir, 'missing/rafiki.log');
  const starting = supervised(isReady).start();
  mkdirSync(path.dirname(logFile));
  await starting;
  expect(existsSync(logFile)).toBe(true);
});

test('so is a process that the system does not start', async () => {
  const { execPath } = process;
  process.execPath = path.join(dir, 'missing');
  const starting = supervised(isReady).start();
  process.execPath = execPath;
  await starting;
});
