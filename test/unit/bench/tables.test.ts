import { expect, test } from 'vitest';
import { Results } from '../../../bench/results.ts';
import { type Losses, losses, summary, tableFigure } from '../../../bench/tables/figures.ts';
import { placesOf } from '../../../bench/tables/folds.ts';
import { FOLDS, foldsOf } from '../../../bench/trees/tables.ts';

const measured = (own: number[], others: Record<string, number[]>): Losses => ({
  own,
  slowestSeconds: 7,
  peers: new Map(Object.entries(others)) as Losses['peers'],
});

test('a table is compared with the peer that is best on its folds', () => {
  const figure = tableFigure('housing', measured([3, 4, 5], { sklearn: [3, 5, 6], xgboost: [3, 4, 4] }));
  expect(figure).toMatchObject({ unit: 'rmse', value: 4, peer: 'xgboost', peerValue: 11 / 3, ok: true });
  expect(figure.note).toMatch(
    /^difference 0\.3333 ± 0\.3333 in 3 folds; sklearn 4\.6667, xgboost 3\.6667; 7 s at most$/,
  );
});

test('more than two standard errors worse is short, fold by fold', () => {
  const own = [0.2, 0.31, 0.4];
  expect(tableFigure('german', measured(own, { sklearn: [0.1, 0.2, 0.31] })).ok).toBe(false);
  expect(tableFigure('german', measured(own, { sklearn: [0.31, 0.2, 0.1] })).ok).toBe(true); // the same losses, of other folds
});

test('over all tables: how many are within, the mean relative loss, and how many are better', () => {
  const [within, loss, better] = [
    ...summary([
      measured([1.1, 1.3], { sklearn: [1, 1.2] }),
      measured([0.9, 0.9], { sklearn: [1, 1] }),
      measured([2, 2.2], { sklearn: [2.1, 2.1] }),
    ]),
  ];
  expect(within).toMatchObject({ value: 2, bar: 3, ok: false });
  expect(loss?.value).toBeCloseTo(100 * ((1.2 / 1.1 + 0.9 + 1) / 3 - 1));
  expect(loss?.ok).toBe(true);
  expect(better).toMatchObject({ value: 1, ok: false });
});

test('without peers there is nothing to compare', () => {
  expect(tableFigure('wine', measured([1, 2], {}))).toMatchObject({ value: 1.5, ok: null });
  expect([...summary([measured([1, 2], {})])]).toEqual([]);
});

test('results are read in the order of the folds, and a peer with some only is left out', () => {
  const results = new Results();
  const row = (by: string, fold: number, loss: number) => ['housing', by, 1, fold, loss, fold, ''];
  for (let fold = FOLDS - 1; fold >= 0; fold--)
    results.add(row('mlp', fold, 10 + fold), row('xgboost', fold, 20 + fold));
  results.add(row('sklearn', 0, 1), ['wine', 'mlp', 1, 0, 99, 99, '']);
  expect(losses(results, { name: 'housing', own: 'mlp', places: placesOf(1) })).toEqual({
    own: [10, 11, 12, 13, 14],
    slowestSeconds: 4,
    peers: new Map([['xgboost', [20, 21, 22, 23, 24]]]),
  });
});

test('each repeat has other folds of equal size', () => {
  expect(placesOf(2).map(({ repeat, fold }) => `${repeat}.${fold}`)).toEqual(
    [...'12'].flatMap((r) => [...'01234'].map((f) => `${r}.${f}`)),
  );
  const [first, second] = [foldsOf(101, 1), foldsOf(101, 2)];
  expect(first).toEqual(foldsOf(101, 1));
  expect(first).not.toEqual(second);
  for (const folds of [first, second])
    expect([0, 1, 2, 3, 4].map((fold) => folds.filter((own) => own === fold).length)).toEqual([21, 20, 20, 20, 20]);
});
