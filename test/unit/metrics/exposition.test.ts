import { expect, test } from 'vitest';
import { Exposition } from '../../../src/metrics/exposition.ts';
import { Histogram } from '../../../src/runtime/histogram.ts';
import type { Measured } from '../../../src/runtime/measured.ts';

const textOf = (...measured: Measured[]): Promise<string> =>
  new Exposition('serving', { measured: () => measured }).text();

test('labels are escaped: names of models are users’ texts', async () => {
  const labels = { model: 'a "b"\\c\nd' };
  const text = await textOf({ name: 'rafiki_x_total', help: 'X.', kind: 'counter', values: [{ labels, value: 3 }] });
  expect(text).toContain('# TYPE rafiki_x_total counter\nrafiki_x_total{model="a \\"b\\"\\\\c\\nd"} 3\n');
});

test('a histogram has cumulative buckets, sum and count', async () => {
  const histogram = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.add(value);
  const text = await textOf({
    ...{ name: 'rafiki_y_seconds', help: 'Y.', kind: 'histogram' },
    values: [{ labels: { model: 'm' }, value: histogram.sum }],
    buckets: [histogram.buckets()],
  });
  expect(text.split('\n').filter((line) => line.startsWith('rafiki_y'))).toEqual([
    'rafiki_y_seconds_bucket{model="m",le="0.1"} 2',
    'rafiki_y_seconds_bucket{model="m",le="1"} 3',
    'rafiki_y_seconds_bucket{model="m",le="+Inf"} 4',
    'rafiki_y_seconds_sum{model="m"} 7.65',
    'rafiki_y_seconds_count{model="m"} 4',
  ]);
});

test('says what the process is, and what Node.js measures', async () => {
  const text = await textOf();
  expect(text).toMatch(/^rafiki_build_info\{process="serving",version="[^"]+",node="[^"]+"\} 1$/m);
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
});
