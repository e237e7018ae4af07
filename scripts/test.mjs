// Runs every suite: what needs the whole machine first, then those on PostgreSQL 15 and on 18 beside each other, since each of them waits
// for its server half of the time. With arguments it is vitest with these.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const alone = ['unit', 'e2e'];
const besideEachOther = [
  ['pg18', 'hostile18', 'pg17'],
  ['drivers', 'pg15', 'hostile15', 'pg16'],
];

/** Prints each line as it comes, or all of them at the end. Resolves to what the last line counts, and whether all is well. */
function run(args, { atOnce }) {
  const child = spawn('vitest', ['run', '--no-color', ...args], { stdio: ['inherit', 'pipe', 'inherit'] });
  const lines = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (atOnce) console.log(line);
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
  const done = [await run(projects(alone), { atOnce: true })];
  done.push(...(await Promise.all(besideEachOther.map((names, i) => run(projects(names), { atOnce: i === 0 })))));
  const sum = (of) => done.reduce((total, each) => total + each[of], 0);
  console.log(`\nIn all: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  process.exit(done.every(({ ok }) => ok) ? 0 : 1);
}
