import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Step, stepsOf, writeStep } from '../support/how-to.ts';

/** All how-tos are followed in one copy of the tree, so that their additions must be compatible. */
const root = path.resolve(import.meta.dirname, '../..');
const pages = readdirSync(path.join(root, 'docs/howto')).filter((file) => file.endsWith('.md'));
const steps = new Map(pages.map((page) => [page, stepsOf(readFileSync(path.join(root, 'docs/howto', page), 'utf8'))]));
const written = (page: string): Exclude<Step, { kind: 'run' }>[] =>
  (steps.get(page) ?? []).filter((step) => step.kind !== 'run');

/** Not copied: large or generated folders. */
const left = new Set(['node_modules', '.git', 'shared', 'coverage']);

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(path.join(tmpdir(), 'rafiki-howto-'));
  cpSync(root, copy, { recursive: true, filter: (file) => !left.has(path.relative(root, file)) });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  for (const page of pages) for (const step of written(page)) writeStep(copy, step);
});
afterAll(() => rmSync(copy, { recursive: true }));

/** Resolves with what it printed; rejects with it where it fails, or where it is vitest and no test ran. */
async function run(script: string, cwd = copy): Promise<string> {
  const outer = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
  const env = { ...Object.fromEntries(outer), FORCE_COLOR: '0' };
  const running = promisify(execFile)('bash', ['-e', '-c', script], { cwd, env, maxBuffer: 1 << 26 });
  const { stdout, stderr } = await running.catch(({ stdout, stderr }) => {
    throw new Error(`failed: ${script}\n${stdout}\n${stderr}`);
  });
  return stdout + stderr;
}

const printed = new Map<string, Promise<string>>();
/** All files are written: a command that several how-tos have, such as the build, does the same again, and runs once. */
function runOnce(command: string): Promise<string> {
  const running = printed.get(command) ?? run(command);
  printed.set(command, running);
  running.catch(() => printed.delete(command)); // for the second attempt of its test
  return running;
}

test('each how-to has files to write and commands to run', () => {
  expect(pages.length).toBeGreaterThan(5);
  for (const page of pages) {
    expect(written(page).length, page).toBeGreaterThan(0);
    expect(
      (steps.get(page) ?? []).some(({ kind }) => kind === 'run'),
      page,
    ).toBe(true);
  }
});

test('what a how-to greps for is not there before it is followed', async () => {
  const greps = pages.flatMap((page) =>
    (steps.get(page) ?? []).flatMap((step) => (step.kind === 'run' ? (step.script.match(/^grep .*$/gm) ?? []) : [])),
  );
  expect(greps.length).toBeGreaterThan(2);
  for (const grep of greps) await expect(run(`! ${grep}`, root), grep).resolves.toBe('');
});

test('the written files have no type errors, and are formatted', async () => {
  const files = [...new Set(pages.flatMap((page) => written(page).map(({ file }) => file)))];
  await run(`npx tsc --noEmit`);
  await run(`npx biome check --vcs-enabled=false ${files.filter((file) => file.endsWith('.ts')).join(' ')}`);
});

describe.each(pages)('%s', (page) => {
  const scripts = (steps.get(page) ?? []).flatMap((step) => (step.kind === 'run' ? [step.script] : []));
  test.each(scripts)('%s', async (script) => {
    for (const command of script.trim().split('\n')) {
      const said = await runOnce(command);
      if (/vitest/.test(command)) expect(said).toMatch(/^[1-9]\d* passed, 0 failed/m);
    }
  });
});

test('after all how-tos, the tests of lists, documents and registries pass', async () => {
  const said = await run('npx vitest run --project unit test/unit/cli test/unit/docs test/unit/sql');
  expect(said).toMatch(/^[1-9]\d* passed, 0 failed/m);
});
