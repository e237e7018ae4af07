import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/**
 * Every suite on real Postgres runs on the embedded 18, and on Debian's 15 where its binaries are on the machine. What depends on
 * the version (rights, installing, the way to the servers) runs on 16 and 17, too, where npm has them for the platform.
 */
const debian15 = '/usr/lib/postgresql/15/bin/postgres';
if (!existsSync(debian15)) console.log('PostgreSQL 15 is not on this machine: its suites are skipped');
const between = (['16', '17'] as const).filter((version) => existsSync(`node_modules/postgres-${version}`));
if (between.length < 2) console.log('PostgreSQL 16 and 17 are not on this machine: their suites are skipped');
const dependsOnVersion = [
  'install*',
  'readme',
  'sql-catalog',
  'sql-transport',
  'sql-read-ahead',
  'array-literals',
  'input-types',
  'messages',
  'dblink-reach',
];

/** Processes and servers share a machine that may be busy. The last lines of a run name each test that needed the second attempt. */
const retry = 1;

const onPostgres = (name: string, version: '18' | '17' | '16' | '15', ...include: string[]) => ({
  test: {
    name,
    include,
    globalSetup: [`test/support/postgres-${version}.ts`],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    ...(name.startsWith('hostile') ? {} : { retry }),
  },
});

export default defineConfig({
  test: {
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/hostile/wire*.test.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
          // 700 small modules that Node cannot load by itself: in one piece they take 1 s instead of 8.
          deps: {
            optimizer: {
              ssr: { enabled: true, include: ['@tensorflow/tfjs-core/dist/register_all_gradients.js'] },
            },
          },
        },
      },
      onPostgres('pg18', '18', 'test/pg/**/*.test.ts'),
      onPostgres('hostile18', '18', 'test/hostile/sql-*.test.ts'),
      ...(existsSync(debian15)
        ? [
            onPostgres('pg15', '15', 'test/pg/**/*.test.ts'),
            onPostgres('hostile15', '15', 'test/hostile/sql-*.test.ts'),
          ]
        : []),
      ...between.map((version) =>
        onPostgres(`pg${version}`, version, ...dependsOnVersion.map((name) => `test/pg/${name}.test.ts`)),
      ),
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
        test: {
          name: 'drivers',
          include: ['test/drivers/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 300_000,
          retry,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
