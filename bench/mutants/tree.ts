import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { plant } from './plant.ts';
import { digest, type Mutant } from './sample.ts';

/** The tests of one file, run without a mutant. */
interface Covering {
  test: string;
  /** Of the test's file, so that a changed test runs again. */
  digest: string;
  seconds: number;
  passed: boolean;
  /** The mutants that they execute. */
  keys: string[];
}

export type Suite = 'unit' | 'pg18';

export interface Judged {
  /** Unclear if vitest failed, but no test: its Postgres may not have started. */
  outcome: 'killed' | 'survived' | 'uncovered' | 'unclear';
  /** The file whose test failed, or the timeout. */
  by: string;
}

/** Tests that take no longer than this go first, and most mutants need no other. */
const QUICK_S = 5;
/** Timeout of a mutant, as a multiple of the time of its tests without it, in addition to vitest's start. */
const PATIENCE = 5;
const START_S = 45;
/** Time for vitest to end by itself. */
const GOODBYE_MS = 20_000;

/**
 * A copy of the working tree in a temporary folder, with all mutants planted, so that one pass of the tests shows which mutants
 * each test executes, and only these tests run for a mutant.
 */
export class MutantTree {
  readonly #root: string;
  readonly #mutants: readonly Mutant[];
  readonly #indexes: Map<string, number>;
  /** What the tests cover, kept from one start of the bench to the next, as long as the planted sources are the same. */
  readonly #notesFile: string;

  constructor(root: string, mutants: readonly Mutant[]) {
    this.#mutants = mutants;
    this.#indexes = new Map(mutants.map(({ key }, index) => [key, index]));
    this.#root = mkdtempSync(path.join(tmpdir(), 'rafiki-mutants-'));
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' });
    for (const file of files.split('\0').filter((name) => name !== '' && existsSync(path.join(root, name))))
      cpSync(path.join(root, file), path.join(this.#root, file));
    cpSync(path.join(root, 'dist'), path.join(this.#root, 'dist'), { recursive: true });
    symlinkSync(path.join(root, 'node_modules'), path.join(this.#root, 'node_modules'));
    const texts = [...new Set(mutants.map(({ file }) => file))].map((file) => this.#plant(file));
    mkdirSync(path.join(tmpdir(), 'rafiki-mutants-notes'), { recursive: true });
    this.#notesFile = path.join(tmpdir(), 'rafiki-mutants-notes', `${digest(texts.join('\n'))}.json`);
  }

  #plant(file: string): string {
    const to = path.join(this.#root, file);
    const here = this.#mutants.flatMap((mutant, index) => (mutant.file === file ? [{ ...mutant, index }] : []));
    const switchFile = path.relative(path.dirname(to), path.join(this.#root, 'bench/mutants/switch.ts'));
    const text = plant(readFileSync(to, 'utf8'), here, switchFile);
    writeFileSync(to, text);
    return text;
  }

  /** Runs tests without a mutant, unless their coverage is known. A failed test, as on a busy machine, is repeated alone once. */
  async cover(suite: Suite, tests: readonly string[]): Promise<Covering[]> {
    const known: Covering[] = existsSync(this.#notesFile) ? JSON.parse(readFileSync(this.#notesFile, 'utf8')) : [];
    const now = new Map(tests.map((test) => [test, digest(readFileSync(path.join(this.#root, test), 'utf8'))]));
    let kept = known.filter((each) => !now.has(each.test) || (each.passed && now.get(each.test) === each.digest));
    const missing = (): string[] => tests.filter((test) => !kept.some((each) => each.test === test && each.passed));
    for (const part of [missing(), ...missing().map((test) => [test])]) {
      const fresh = part.filter((test) => missing().includes(test));
      if (fresh.length === 0) continue;
      kept = kept.filter(({ test }) => !fresh.includes(test));
      const notes = path.join(this.#root, 'notes.txt');
      writeFileSync(notes, '');
      const { results } = await this.#vitest(suite, fresh, { MUTANT_NOTES: notes });
      const came = readFileSync(notes, 'utf8')
        .split('\n')
        .map((line) => line.split(' '));
      for (const { test, seconds, passed } of results) {
        const indexes = came.filter(([, by]) => by === path.join(this.#root, test)).map(([index]) => Number(index));
        const keys = [...new Set(indexes)].map((index) => this.#mutants[index]!.key);
        kept.push({ test, digest: now.get(test)!, seconds, passed, keys });
      }
      writeFileSync(this.#notesFile, JSON.stringify(kept));
    }
    for (const test of missing()) console.error(`${test} fails without a mutant, and tests no mutant`);
    return kept.filter(({ test }) => now.has(test));
  }

  /** Runs the tests that execute a mutant: the quick ones, then one after another. */
  async test(mutant: Mutant, suite: Suite, coverings: readonly Covering[]): Promise<Judged> {
    const all = coverings.filter(({ keys, passed }) => passed && keys.includes(mutant.key));
    const quick = all.filter(({ seconds }) => seconds <= QUICK_S);
    const slow = all.filter(({ seconds }) => seconds > QUICK_S).toSorted((a, b) => a.seconds - b.seconds);
    for (const part of [quick, ...slow.map((one) => [one])]) {
      if (part.length === 0) continue;
      const seconds = part.reduce((sum, each) => sum + each.seconds, 0);
      const run = await this.#vitest(
        suite,
        part.map(({ test }) => test),
        { MUTANT: String(this.#indexes.get(mutant.key)) },
        START_S + PATIENCE * seconds,
      );
      if (run.tooLong) return { outcome: 'killed', by: 'too long' };
      const failed = run.results.find(({ passed }) => !passed)?.test;
      if (failed !== undefined) return { outcome: 'killed', by: failed };
      if (run.code !== 0) return { outcome: 'unclear', by: '' };
    }
    return { outcome: all.length === 0 ? 'uncovered' : 'survived', by: '' };
  }

  async #vitest(
    suite: Suite,
    tests: readonly string[],
    env: Record<string, string>,
    limitS = 3600,
  ): Promise<VitestRun> {
    const output = path.join(mkdtempSync(path.join(this.#root, 'run-')), 'results.json');
    const reporting = ['--reporter=json', `--outputFile=${output}`];
    const bail = 'MUTANT' in env ? ['--bail=1', '--maxWorkers=1'] : [];
    const vitest = path.join(this.#root, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [vitest, 'run', '--project', suite, ...tests, ...reporting, ...bail], {
      cwd: this.#root,
      env: { ...process.env, ...env },
      stdio: 'ignore',
      detached: true, // a group of its own, so that a mutant that hangs ends with all processes that it started
    });
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    const endGroup = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // none of the group is left
      }
    };
    let tooLong = false;
    let last: NodeJS.Timeout | undefined;
    const limit = setTimeout(() => {
      tooLong = true;
      child.kill('SIGINT'); // vitest stops its Postgres, which is not in this group
      last = setTimeout(endGroup, GOODBYE_MS);
    }, limitS * 1000);
    const code = await closed;
    clearTimeout(limit);
    clearTimeout(last);
    endGroup(); // vitest leaves a worker behind whose loop does not end
    return { code, tooLong, results: existsSync(output) ? resultsIn(output, this.#root) : [] };
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

interface VitestRun {
  code: number | null;
  tooLong: boolean;
  results: { test: string; seconds: number; passed: boolean }[];
}

function resultsIn(output: string, root: string): VitestRun['results'] {
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as {
    testResults: { name: string; startTime: number; endTime: number; status: string }[];
  };
  return testResults.map(({ name, startTime, endTime, status }) => ({
    test: path.relative(root, name),
    seconds: (endTime - startTime) / 1000,
    passed: status === 'passed',
  }));
}
