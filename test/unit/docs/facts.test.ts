import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { registryRows } from '../../../src/cli/install/registries.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Rows of a Markdown table: texts of their cells. */
const rowsIn = (text: string): string[][] =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map(([, cells = '']) => cells.split(' | '));

test('README.md lists the families of each task', () => {
  const { family, task } = registryRows();
  const [, section = ''] = /## What is trained\n([\s\S]*?)\n\n`rafiki_knobs/.exec(read('README.md')) ?? [];
  const listed = rowsIn(section)
    .slice(2)
    .flatMap(([tasks = '', titles = '']) =>
      [...tasks.matchAll(/`(\w+)`/g)].map(([, name]) => [name, titles.toLowerCase()]),
    );
  const titlesOf = (name: string): string =>
    family
      .filter((each) => each.task === name)
      .map(({ title }) => title.split(':')[0]?.toLowerCase())
      .join(', ');
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(task.map(({ name }) => [name, titlesOf(name)])));
});

interface ImportRule {
  name: string;
  to: { pathNot?: string };
}

test('docs/architecture.md has the import rules that `npm run rooms` checks', () => {
  const { forbidden } = createRequire(import.meta.url)(path.join(root, '.dependency-cruiser.cjs')) as {
    forbidden: ImportRule[];
  };
  const checked = forbidden
    .filter(({ name }) => name.startsWith('room-'))
    .map(({ name, to }) => {
      const room = name.slice('room-'.length);
      const allowed = /\((.*)\)/.exec(to.pathNot ?? '')?.[1]?.split('|') ?? [];
      return [room, allowed.filter((each) => each !== room).join(', ') || '–'];
    });
  const [, section = ''] = /^\| room under `src\/` .*\n([\s\S]*?)\n\n/m.exec(read('docs/architecture.md')) ?? [];
  const described = rowsIn(section).slice(1);
  expect(described.map(([room, , imports]) => [room, imports])).toEqual([...checked, ['cli', 'all']]);
});
