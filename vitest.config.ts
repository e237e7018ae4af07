import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { builtChildren } from './test/support/built-children.ts';

/**
 * Every suite on real Postgres runs on the embedded 18, and on Debian's 15 where its binaries are on the machine. What depends on
 * the version (rights, installing, the way to the servers) runs on 16 and 17, too, where npm has them for the platform; what depends
 * on our processes alone, and takes long, only on 18: their statements are run on 15 by others.
 */
const debian15 = '/usr/lib/postgresql/15/bin/postgres';
if (!existsSync(debian15)) console.log('PostgreSQL 15 is not on this machine: its suites are skipped');
const between = (['16', '17'] as const).filter((version) => existsSync(`node_modules/postgres-${version}`));
if (between.length < 2) console.log('PostgreSQL 16 and 17 are not on this machine: their suites are skipped');
const dependsOnVersion = [
  'install*',
  'sql-catalog',
  'sql-transport',
  'sql-read-ahead',
  'array-literals',
  'input-types',
  'messages',
  'dblink-reach',
];
const dependsOnProcesses = [
  'client',
  'coordinator-loop',
  'costudy',
  'dashboard*',
  'docs',
  'encoders',
  'forged-imports',
  'gradient-boosting',
  'http-disconnect',
  'http-uploads*',
  'listener',
  'model-memory',
  'own-families*',
  'params-s3',
  'refit',
  'replacing-models',
  'start',
  'traces',
  'worker-joins',
  'worker-notify',
  'worker-reads',
  'worker-turns',
];
const pgTests = (names: readonly string[]): string[] => names.map((name) => `test/pg/${name}.test.ts`);

/** Processes and servers share a machine that may be busy. The last lines of a run name each test that needed the second attempt. */
const retry = 1;
/** How long expect.poll looks, for the same reason: a test that succeeds waits no longer than it has to. */
const patience = { expect: { poll: { timeout: 60_000 } } };

const onPostgres = (name: string, version: '18' | '17' | '16' | '15', include: string[], exclude: string[] = []) => ({
  plugins: [builtChildren()],
  test: {
    name,
    include,
    exclude,
    globalSetup: [`test/support/postgres-${version}.ts`],
    testTimeout: 200_000,
    hookTimeout: 200_000,
    ...patience,
    fileParallelism: false,
    ...(name.startsWith('hostile') ? {} : { retry }),
  },
});

export default defineConfig({
  test: {
    reporters: ['default', './test/support/summary-reporter.ts'],
    // each project, and each run, would compile the same 900 files again
    experimental: { fsModuleCache: true, fsModuleCachePath: 'node_modules/.cache/rafiki-vitest' },
    projects: [
      {
        plugins: [builtChildren()],
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/hostile/wire*.test.ts'],
          testTimeout: 120_000,
          ...patience,
          // vitest leaves a core to itself; of two cores that would be half of the machine
          ...(availableParallelism() === 2 ? { maxWorkers: 2 } : {}),
          sequence: { groupOrder: 0 },
          // 700 small modules that Node cannot load by itself: in one piece they take 1 s instead of 8.
          deps: {
            optimizer: {
              ssr: { enabled: true, include: ['@tensorflow/tfjs-core/dist/register_all_gradients.js'] },
            },
          },
        },
      },
      // the first hour: on 18 test/e2e runs it, as `rafiki up` has it
      onPostgres('pg18', '18', ['test/pg/**/*.test.ts'], pgTests(['readme'])),
      onPostgres('hostile18', '18', ['test/hostile/sql-*.test.ts']),
      ...(existsSync(debian15)
        ? [
            onPostgres('pg15', '15', ['test/pg/**/*.test.ts'], pgTests(dependsOnProcesses)),
            // what HTTP sends is run on 15 by test/pg/http*, and tokens are attacked there in SQL
            onPostgres('hostile15', '15', ['test/hostile/sql-*.test.ts'], ['test/hostile/sql-http.test.ts']),
          ]
        : []),
      ...between.map((version) => onPostgres(`pg${version}`, version, pgTests(dependsOnVersion))),
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/fault/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          retry,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins: [builtChildren()],
        test: {
          name: 'drivers',
          include: ['test/drivers/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          retry,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
