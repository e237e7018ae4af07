import { describe, expect, it } from 'vitest';
import { forestBasis } from '../../../src/domain/joint-training.ts';
import { flatTrees } from '../../../src/trees/joint/flat-sums.ts';
import type { ForestRows } from '../../../src/trees/objective.ts';
import { boostingSettings } from '../../../src/trees/settings.ts';
import { boosterOf, followRows, MemoryLead } from '../../support/forest-workers.ts';
import { mixedTable } from './tables.ts';

const settings = boostingSettings({ maxLeaves: 12 });
const fingerprint = (rows: ForestRows, of = settings): string => boosterOf(rows, of).fingerprint();

/** The same rows, but for one number. */
function nearly(change: (rows: ForestRows) => void): ForestRows {
  const rows = mixedTable(900);
  change(rows);
  return rows;
}
/** Which is the next float of the first number of the first column of numbers, so that an edge moves. */
const otherValue = nearly(({ columns }) => {
  const { values } = columns.find(({ categorical }) => !categorical) as (typeof columns)[number];
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  values[values.indexOf(sorted[400] as number)] = (sorted[400] as number) * 1.001;
});
const otherTarget = nearly(({ targets }) => {
  targets.values[7] = (targets.values[7] as number) + 1e-6;
});

describe('what trees follow from', () => {
  it('has the same fingerprint for the same rows and settings', () => {
    expect(fingerprint(mixedTable(900))).toBe(fingerprint(mixedTable(900)));
  });

  it.each([
    ['a value', fingerprint(otherValue)],
    ['a target', fingerprint(otherTarget)],
    ['a setting', fingerprint(mixedTable(900), { ...settings, l2: 2 })],
  ])('has another one if %s differs', (_what, other) => {
    expect(other).not.toBe(fingerprint(mixedTable(900)));
  });

  it.each([
    ['other bins', otherValue, 'this worker would grow other trees than the one that leads the trial'],
    ['the same', mixedTable(900), undefined],
  ])('is compared with that of the leading worker: %s', async (_what, rows, error) => {
    const lead = new MemoryLead(11);
    const following = followRows(rows, settings, lead);
    const ended = error === undefined ? following : expect(following).rejects.toThrow(error);
    const basis = forestBasis('rows', fingerprint(mixedTable(900)));
    const round = { number: 1, epoch: 0, epochs: 1, step: 0, batches: 1, basis, seats: 2 };
    lead.begin({ round, seat: 1, weights: { kind: 'trees', trees: flatTrees([]) } });
    if (error === undefined) expect((await lead.sums)?.rows).toBe(450);
    lead.end();
    await ended;
  });
});
