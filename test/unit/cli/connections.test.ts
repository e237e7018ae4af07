import { expect, test } from 'vitest';
import { connectionsFor } from '../../../src/cli/up/child-processes.ts';
import { defaultHttpLimits } from '../../../src/http/limits.ts';

/** Of a process: its pool, and its listener. */
const BASE = 4 + 1;

test.each([1, 2, 30, 1_024])('with %i workers, a hundred connections are left to people', (workers) => {
  const serving = BASE + 1;
  const coordinator = BASE + 1 + 4 * 2;
  const http = BASE + defaultHttpLimits.statements + defaultHttpLimits.signIns;
  const taken = serving + coordinator + http + workers * (BASE + 2) + 1 + 3;
  expect(connectionsFor(workers) - taken).toBe(100);
});
