import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { defaultLimits } from '../../../src/bridge/limits.ts';
import { registryRows } from '../../../src/cli/install/registries.ts';
import { settingsTable } from '../../../src/cli/settings/table.ts';
import { MAX_DETECTIONS } from '../../../src/domain/kinds/detection.ts';
import { DECODE_BYTES } from '../../../src/features/decode-budget.ts';
import { MAX_AVIF_PIXELS, MAX_PIXELS, MAX_SIDE } from '../../../src/features/image-limits.ts';
import { MAX_JPEG_SCANS } from '../../../src/features/jpeg-scans.ts';
import { MAX_OBJECTS } from '../../../src/models/detection/knobs.ts';

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

const MB = 2 ** 20;
const oneLine = (file: string): string => read(file).replace(/\s+/g, ' ');

test('docs/limits.md has the limits of images', () => {
  const text = oneLine('docs/limits.md');
  for (const limit of [
    `${MAX_PIXELS / 1e6} million pixels (AVIF ${MAX_AVIF_PIXELS / 1e6} million)`,
    `${MAX_SIDE.toLocaleString('en')} on a side, a JPEG ${MAX_JPEG_SCANS} scans`,
    `a process decodes ${DECODE_BYTES / MB} MB of them at once`,
    `\`RAFIKI_DATA_LIMIT=${settingsTable.dataLimit.default}\``,
    `${MAX_OBJECTS}, the largest ones; ${MAX_DETECTIONS} |`,
  ])
    expect(text).toContain(limit);
});

test('docs/deploying.md has the default of the cache', () =>
  expect(oneLine('docs/deploying.md')).toContain(`\`RAFIKI_CACHE_LIMIT=${settingsTable.cacheLimit.default}\``));

test('docs/architecture.md has the limits of the bridge', () => {
  const text = oneLine('docs/architecture.md');
  const { longBytes, longRequestMemoryBytes, unauthenticated } = defaultLimits;
  for (const limit of [
    `A request above ${longBytes / 1024} KB is decided`,
    `the ${longRequestMemoryBytes / MB} MB that all long requests share`,
    `one of ${unauthenticated} places`,
  ])
    expect(text).toContain(limit);
});
