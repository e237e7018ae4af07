import { expect, test } from 'vitest';
import { FairGate } from '../../../src/http/fair-gate.ts';
import type { BridgePool } from '../../../src/http/predict/bridge-pool.ts';
import { Predictions } from '../../../src/http/predict/predictions.ts';
import type { UsableModel, UsableModels } from '../../../src/http/predict/usable-models.ts';
import { SignedIn } from '../../../src/http/sign-in/signed-in.ts';

const gate = new FairGate({ what: 'predictions', places: 4, placesOfRole: 4, waitingOfRole: 4 });
const sessions = { call: async () => [], stop: async () => undefined };
const ann = new SignedIn({ role: 'ann', servedAs: 'ann', api: 'public', sessions, statements: gate });
const terms = {
  latency: { budgetMs: null, onOverdue: 'error' as const },
  signal: new AbortController().signal,
};

test('details that are too large together are refused before one is asked for', async () => {
  let asked = 0;
  const pool = {
    async ask() {
      asked++;
      return '{}';
    },
  } as unknown as BridgePool;
  const of = (classBytes: number) =>
    new Predictions({
      pool,
      gate,
      models: {
        of: () => ({ name: 'm', key: 'k', input: 'text', classBytes }) as UsableModel,
      } as unknown as UsableModels,
    });
  const details = (inputs: number, classBytes: number) =>
    of(classBytes).detailMany(ann, 'm', Array<string>(inputs).fill('x'), terms);
  const [classBytes, most] = [199_600, 320];
  await expect(details(most + 1, classBytes)).rejects.toMatchObject({
    sqlstate: '54000',
    detail: expect.stringContaining(`maximum is ${most}`),
  });
  await expect(details(160_001, 0)).rejects.toMatchObject({ sqlstate: '54000' });
  expect(asked).toBe(0);
  expect(await details(most, classBytes)).toEqual([]);
  expect(await details(1, 100_000_000)).toEqual([]);
  expect(asked).toBeGreaterThan(0);
});
