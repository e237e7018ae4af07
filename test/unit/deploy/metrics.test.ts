import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const namesIn = (text: string, pattern: RegExp): Set<string> =>
  new Set([...text.matchAll(pattern)].map(([, name = '']) => name));

/** Each is written once in src, as the name of a measurement. */
const measured = namesIn(
  readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
    .join('\n'),
  /(?:name: (?='rafiki_[a-z_]+',\s*help)|byState\()'(rafiki_[a-z_]+)'/g,
);

test('docs/metrics.md lists what is measured, and nothing else', () => {
  const rows = read('docs/metrics.md')
    .split('\n')
    .filter((line) => line.startsWith('| `rafiki_'));
  const listed = rows.flatMap((row) => [...namesIn(row.split('|')[1] ?? '', /`(rafiki_[a-z_]+)`/g)]);
  expect(new Set(listed)).toEqual(measured);
});

test.each(['deploy/prometheus/rafiki.rules.yaml', 'deploy/grafana/rafiki.json'])('%s uses what is measured', (file) => {
  const used = namesIn(read(file), /\b(rafiki_[a-z_]+)/g);
  const parts = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');
  expect(used.size).toBeGreaterThan(4);
  for (const name of used) expect([...measured]).toContain(measured.has(name) ? name : parts(name));
});

const promtool = ['/usr/bin/promtool', '/usr/local/bin/promtool'].find(existsSync);
if (promtool === undefined) console.log('promtool is not on this machine: the alerts are not checked by it');

test.skipIf(promtool === undefined)('Prometheus accepts the configuration and the alerts', () => {
  const config = path.join(root, 'deploy/prometheus/scrape.yaml');
  expect(execFileSync(promtool ?? '', ['check', 'config', config], { encoding: 'utf8' })).toContain('12 rules found');
});
