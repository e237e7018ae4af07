import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

/** What the README's section "Three ways in" tells to type, and what it says is printed. */
interface Example {
  language: string;
  code: string;
  printed: string;
}

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const section = /## Three ways in\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? '';
const examples: Example[] = [...section.matchAll(/```(sql|sh)\n([\s\S]*?)```\n```text\n([\s\S]*?)```/g)].map(
  ([, language = '', code = '', printed = '']) => ({ language, code, printed }),
);

const noPsql = !existsSync('/usr/bin/psql');
if (noPsql) console.log('psql is not on this machine: the README is not run');

let rafiki: RunningRafiki;
beforeAll(async () => {
  rafiki = await rafikiUp();
  await loadMails(rafiki.db, 'mails', 2000);
});
afterAll(() => rafiki.stop());

test('there are three of them', () => expect(examples).toHaveLength(3));

test.skipIf(noPsql).each(examples)('$language: $code', ({ language, code, printed }) => {
  const [command, args] =
    language === 'sql' ? ['psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', rafiki.url]] : ['bash', ['-e']];
  const env = { ...process.env, DATABASE_URL: rafiki.url };
  const stdout = execFileSync(command, args, { input: code, env, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  expect(stdout.trimEnd()).toBe(printed.trimEnd());
});
