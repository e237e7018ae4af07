import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidParameter } from '../src/errors/errors.ts';
import type { Figure } from './figure.ts';
import { type Mutant, mutantsOf, sample } from './mutants/sample.ts';
import { MutantTree, type Suite } from './mutants/tree.ts';
import { KeptResults, Results } from './results.ts';

export interface MutantOptions {
  quick: boolean;
  seed?: string | undefined;
  /** The first so many of the 300 that are drawn; the result is worth as much, with a larger error. */
  count?: string | undefined;
  again?: boolean | undefined;
}

/** Another folder would change what each seed draws. */
const rooms = [
  'domain',
  'protocol',
  'bridge',
  'serving/queue',
  'serving/policies',
  'serving/session',
  'coordinator',
  'advisors',
  'datasets',
];
const COUNT = 300;
/** Minimum share of detected mutants. docs/experiments/mutants.md says of the others whether a test is missing. */
const BAR = 0.85;
/** Mutants tested in parallel. */
const AT_ONCE = 2;
const repository = fileURLToPath(new URL('..', import.meta.url));

/**
 * Small changes of the code at random places: how many of them a test detects. Unit tests run first, and if none fails, those on
 * Postgres. Mutants with a result are not tested again; `--again` tests those again that no test detected.
 */
export async function* mutantsBench({
  quick,
  seed: seedText = '1',
  count: countText = String(quick ? COUNT / 10 : COUNT),
  again = false,
}: MutantOptions): AsyncIterable<Figure> {
  const seed = Number(seedText);
  if (!Number.isInteger(seed))
    throw new InvalidParameter('--seed is not an integer', { hint: 'For example --seed 7.' });
  const count = Number(countText);
  if (!Number.isInteger(count) || count < 1 || count > COUNT)
    throw new InvalidParameter(`--count is not an integer from 1 to ${COUNT}`, { hint: 'For example --count 150.' });
  const all = mutantsOf(repository, rooms);
  const mutants = sample(all, count, seed);
  const results = quick ? new Results() : new KeptResults(`mutants/seed-${seed}.csv`, columns);
  const tree = new MutantTree(repository, all);
  try {
    for (const suite of quick ? suites.slice(0, 1) : suites) {
      const undetected = mutants.filter(({ key }) => !isKilled(results, key));
      await testAll(
        tree,
        again ? undetected : undetected.filter(({ key }) => !results.has(key, suite)),
        suite,
        results,
      );
    }
  } finally {
    tree.remove();
  }
  for (const mutant of mutants) if (!isKilled(results, mutant.key)) console.error(shown(mutant));
  yield* figures(mutants, results);
}

const suites = ['unit', 'pg18'] as const;
const columns = ['key', 'suite', 'outcome', 'file', 'line', 'kind', 'by'];
const isKilled = (results: Results, key: string): boolean => suites.some((suite) => results.has(key, suite, 'killed'));

async function testAll(tree: MutantTree, mutants: readonly Mutant[], suite: Suite, results: Results): Promise<void> {
  if (mutants.length === 0) return;
  const coverings = await tree.cover(suite, testsOf(suite));
  const waiting = [...mutants];
  const testNext = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const { outcome, by } = await tree.test(mutant, suite, coverings);
      results.add([mutant.key, suite, outcome, mutant.file, mutant.line, mutant.kind, by]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, testNext));
}

const tops = [...new Set(rooms.map((room) => room.split('/')[0]))].join('|');
/** The inbox of the tests starts a coordinator. */
const importsRoom = new RegExp(`src/(${tops})/|support/inbox`);
const testsRoom = new RegExp(`^test/(unit/(${tops})|hostile/wire)`);

/** Tests of the mutated rooms. Others execute them as well (each family is trained on labels), but test something else, and take long. */
function testsOf(suite: Suite): string[] {
  return readdirSync(path.join(repository, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => path.join('test', name))
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) =>
      suite === 'unit'
        ? testsRoom.test(file)
        : file.startsWith('test/pg/') && importsRoom.test(readFileSync(path.join(repository, file), 'utf8')),
    )
    .sort();
}

const shown = ({ file, line, was, text }: Mutant): string =>
  `${file}:${line}\n- ${was}\n+ ${text}\n`.replaceAll(/\n\s+/g, ' ');

function* figures(mutants: readonly Mutant[], results: Results): Iterable<Figure> {
  for (const room of [...rooms, 'all']) {
    const here = mutants.filter((mutant) => room === 'all' || mutant.room === room);
    const killed = here.filter(({ key }) => isKilled(results, key)).length;
    const share = killed / here.length;
    const figure = { bench: 'mutants', name: `mutants-${room.replace('/', '-')}`, value: share, unit: 'killed' };
    const note = `${killed} of ${here.length}`;
    yield room === 'all' ? { ...figure, bar: BAR, ok: share >= BAR, note } : { ...figure, ok: null, note };
  }
}
