import { expect, test } from 'vitest';
import { Outcomes } from '../../../bench/load/outcomes.ts';

test('errors are classified by their SQLSTATE: only those of a connection are allowed, while a process is down', () => {
  const outcomes = new Outcomes();
  outcomes.failed('08006', 'single', 0);
  outcomes.disturbed(1000, 1000);
  for (const code of ['08006', '57P01', '57P03', '53300', 'connection', 'timeout'])
    outcomes.failed(code, 'single', 1500);
  for (const code of ['XX000', '42704', '57014', '58000']) outcomes.failed(code, 'scan', 1500);
  outcomes.failed('57P01', 'array', 2001);
  expect(outcomes.unexpected).toEqual([
    '08006 of single while nothing was down',
    ...['XX000', '42704', '57014', '58000'].map((code) => `${code} of scan`),
    '57P01 of array while nothing was down',
  ]);
});
