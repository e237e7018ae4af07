// Runs every suite: first those that need the whole machine, then those on PostgreSQL 15 and 18 in parallel, because each of them waits for
// its server half of the time. Arguments are passed to vitest.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const alone = ['unit', 'e2e'];
const inParallel = [
  ['pg18', 'hostile18', 'pg17'],
  ['drivers', 'pg15', 'hostile15', 'pg16'],
];

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
