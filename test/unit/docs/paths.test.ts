import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { stepsOf } from '../../support/how-to.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md'),
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && file !== 'progress.md') // which also says what is to come
    .map((file) => path.join('docs', file)),
];

const read = (page: string): string => readFileSync(path.join(root, page), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** Of the repository, in code: those that begin with one of its folders, up to a star or brackets for several. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`((?:src|sql|test|bench|docs|scripts)\/[^`\s]*)`/g)].map(([, found = '']) =>
    found.replace(/[{*…].*$/, '').replace(/[,.;:]$/, ''),
  );

/** Relative, without their anchors. */
const linksIn = (page: string, text: string): string[] =>
  [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map(([, target = '']) =>
    path.join(path.dirname(page), target),
  );

test.each(pages)('%s names only existing paths', (page) => {
  const text = read(page);
  const made = page.includes('howto')
    ? stepsOf(text).flatMap((step) => (step.kind === 'create' ? [step.file] : []))
    : [];
  const named = [...pathsIn(text), ...linksIn(page, text)];
  expect(named.filter((each) => !existsSync(path.join(root, each)) && !made.includes(each))).toEqual([]);
});

test.each(pages)('%s names only existing scripts and benches', (page) => {
  const text = read(page);
  const named = [...text.matchAll(/npm run (?:-s )?([a-z:]+)/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
  const benches = [...text.matchAll(/(?:npm run -s bench --|bench\/main\.ts) ([a-z]+)/g)].map(([, name = '']) => name);
  const known = /const benches[^=]*= \{([\s\S]*?)\n\};/.exec(read('bench/main.ts'))?.[1] ?? '';
  expect(benches.filter((name) => !new RegExp(`^  ${name}: `, 'm').test(known))).toEqual([]);
});

test('each decision has a date, a status and its alternatives', () => {
  const decisions = pages.filter((page) => page.startsWith('docs/decisions/'));
  const head =
    /^# \d+\. .+\n\n\*Decided \d{4}-\d{2}-\d{2}\. (In force(; replaces decision \d+)?|Replaced by decision \d+)\.\*\n/;
  expect(decisions.filter((page) => !head.test(read(page)))).toEqual([]);
  const withoutAlternatives = decisions.filter((page) => !/^\*\*Alternatives\.\*\*/m.test(read(page)));
  expect(withoutAlternatives).toEqual([]);
});

test('CONTRIBUTING.md explains every script', () => {
  const text = read('CONTRIBUTING.md');
  expect(Object.keys(scripts).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('all sources follow .editorconfig', () => {
  const files = ['src', 'sql', 'test', 'bench', 'scripts', 'docs'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|mjs|sql|md)$/.test(file))
      .map((file) => path.join(folder, file)),
  );
  const faulty = files.filter((file) => {
    const text = read(file);
    return text.includes('\r') || !text.endsWith('\n') || (!file.endsWith('.md') && /[ \t]$/m.test(text));
  });
  expect(faulty).toEqual([]);
});
