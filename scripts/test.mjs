// Runs every suite: first the one that needs the whole machine, then two lists of those with servers in parallel, because each of them waits
// for its servers half of the time. Two `rafiki up` never start at once: they would look for a port at the same moment. Arguments are passed
// to vitest.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const alone = ['unit'];
const inParallel = [
  ['pg18', 'hostile18', 'hostile15'],
  ['e2e', 'drivers', 'pg15', 'pg16', 'pg17'],
];

/** Where there is room in memory the folders of all servers are there: the tests create thousands of databases. */
const MEMORY = '/dev/shm';
const ROOM_BYTES = 8 * 2 ** 30;
function inMemory() {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < ROOM_BYTES) return undefined;
    const folder = mkdtempSync(path.join(MEMORY, 'rafiki-test-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
    chmodSync(folder, 0o755); // servers run as another user
    const program = path.join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    return spawnSync(program).status === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
}
const folder = inMemory();
if (folder !== undefined) process.env.TMPDIR = folder;

/** Prints each line immediately, or all of them at the end. Resolves to the counts of the last line, and whether vitest succeeded. */
function run(args, { immediately }) {
  const child = spawn('vitest', ['run', '--no-color', ...args], { stdio: ['inherit', 'pipe', 'inherit'] });
  const lines = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (immediately) console.log(line);
    else lines.push(line);
    const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line) ?? [];
    if (passed !== undefined)
      Object.assign(counts, { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) });
  });
  return new Promise((resolve) => {
    child.once('close', (code) => {
      if (lines.length > 0) console.log(lines.join('\n'));
      resolve({ ...counts, ok: code === 0 });
    });
  });
}

/** One that this machine cannot run is not there; each list has one that always is. */
const projects = (names) => names.flatMap((name) => ['--project', name]);

const given = process.argv.slice(2);
if (given.length > 0) {
  spawn('vitest', ['run', ...given], { stdio: 'inherit' }).once('close', (code) => process.exit(code ?? 1));
} else {
  const done = [await run(projects(alone), { immediately: true })];
  done.push(...(await Promise.all(inParallel.map((names, i) => run(projects(names), { immediately: i === 0 })))));
  const sum = (of) => done.reduce((total, each) => total + each[of], 0);
  console.log(`\nIn all: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  process.exit(done.every(({ ok }) => ok) ? 0 : 1);
}
