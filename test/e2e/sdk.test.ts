import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tokenClient } from '../support/http-client.ts';
import { eventually, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

/** docs/sdk.md as it is written: its blocks, one after the other. */
const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/sdk.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code = '']) => code);

let rafiki: RunningRafiki;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '1'] });
  folder = mkdtempSync(path.join(tmpdir(), 'rafiki-sdk-'));
  const { username, password } = new URL(rafiki.url);
  env = { HTTP: rafiki.httpUrl, ROLE: decodeURIComponent(username), PASSWORD: decodeURIComponent(password) };
  const rows = Array.from(
    { length: 120 },
    (_, i) => `${i % 2 ? 'pos' : 'neg'},film ${i} was ${i % 2 ? 'great' : 'awful'}`,
  );
  writeFileSync(path.join(folder, 'reviews.csv'), ['label,body', ...rows].join('\n'));
}, 120_000);
afterAll(async () => {
  await rafiki?.stop();
  rmSync(folder, { recursive: true });
});

const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

test('curl: a file, a study, a token, and the end of the study', () => {
  const [start = '', watch = ''] = blocks('sh');
  const run = (script: string): string =>
    execFileSync('sh', ['-ec', script], {
      cwd: folder,
      env: { ...process.env, ...env },
      encoding: 'utf8',
      timeout: 240_000,
    });
  const said = run(start);
  expect(said).toContain('"dataset":"public.reviews"');
  const [, token] = /"token":"(rafiki_[0-9a-f]{64})"/.exec(said) ?? [];
  env = { ...env, TOKEN: token ?? '' };
  expect(run(watch)).toContain('"state":"completed"');
}, 300_000);

test.skipIf(!has('python3', '-c', 'import requests'))(
  'Python with requests predicts and evaluates by token',
  async () => {
    const client = tokenClient(rafiki.httpUrl, env['TOKEN'] ?? '');
    await eventually(
      async () =>
        (await client('POST', '/v1/models/reviews_sentiment/predict', { query: 'x' })).status === 200 || undefined,
    );
    const [code = ''] = blocks('python');
    const said = execFileSync('python3', ['-c', code], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      timeout: 120_000,
    });
    expect(said.split('\n').slice(0, 2)).toEqual(['pos', "['pos', 'neg']"]);
    expect(said).toMatch(/^accuracy /m);
  },
  180_000,
);

test('JavaScript: the SDK of the package trains, watches and predicts', () => {
  const [code = ''] = blocks('js');
  const file = path.join(root, 'dist', `sdk-${process.pid}.mjs`); // within the package: it finds itself by its name
  writeFileSync(file, code);
  try {
    const said = execFileSync('node', [file], { env: { ...process.env, ...env }, encoding: 'utf8', timeout: 240_000 });
    expect(said).toMatch(/^completed [23]\/2 /m);
    expect(said).toMatch(/^pos$/m);
    expect(said).toContain("[ 'pos', 'neg' ]");
  } finally {
    rmSync(file);
  }
}, 300_000);

test('what browsers load of it is the folder client, without anything of Node', () => {
  for (const name of ['rafiki', 'study-requests', 'connection', 'watch', 'http-errors']) {
    const text = readFileSync(path.join(root, 'dist/client', `${name}.js`), 'utf8');
    expect([name, [...text.matchAll(/from '([^']*)'/g)].filter(([, from = '']) => !from.startsWith('./'))]).toEqual([
      name,
      [],
    ]);
    expect([name, /\b(Buffer|process|require)\b/.test(text.replaceAll(/\/\*.*?\*\/|\/\/.*$/gms, ''))]).toEqual([
      name,
      false,
    ]);
  }
});
