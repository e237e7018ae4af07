import { createRng } from '../../src/runtime/rng.ts';
import type { Figure } from '../figure.ts';
import type { Results } from '../results.ts';
import type { EnsembleData } from './members.ts';
import type { ComparedRule } from './rules.ts';

/** Largest probability that a difference is by chance. */
const MAX_CHANCE = 0.05;
const FLIPS = 20_000;

/** Score of a rule less that of the vote, of each seed of a data set. */
function differences({ rows }: Results, { data, rule }: { data: EnsembleData; rule: ComparedRule }): number[] {
  const scores = (by: string): Map<string, number> =>
    new Map(
      rows.flatMap(([name, seed = '', each, score]) => (name === data && each === by ? [[seed, Number(score)]] : [])),
    );
  const votes = scores('vote');
  return [...scores(rule)].map(([seed, score]) => score - (votes.get(seed) ?? Number.NaN));
}

export function dataFigure(results: Results, { data, rule }: { data: EnsembleData; rule: ComparedRule }): Figure {
  const apart = differences(results, { data, rule });
  const error = errorOf(apart);
  const mean = meanOf(apart);
  const scores = (by: string): number[] =>
    results.rows.flatMap(([name, , each, score]) => (name === data && each === by ? [Number(score)] : []));
  return {
    bench: 'ensembles',
    name: `${rule} ${data}`,
    value: meanOf(scores(rule)),
    unit: 'score',
    peer: 'vote',
    peerValue: meanOf(scores('vote')),
    ok: mean >= -error,
    note: `difference ${mean.toFixed(4)} ± ${error.toFixed(4)} in ${apart.length} seeds; best alone ${meanOf(scores('best')).toFixed(4)}`,
  };
}

/** Over all data sets: the mean difference, and the probability of one as large if the rules were equal, by random signs. */
export function* summaryOf(results: Results, data: readonly EnsembleData[], rule: ComparedRule): Iterable<Figure> {
  const all = data.map((name) => differences(results, { data: name, rule })).filter(({ length }) => length > 0);
  const each = all.flat();
  const chance = chanceOf(each);
  const mean = meanOf(each);
  const figure = { bench: 'ensembles', name: `${rule} on average` };
  yield {
    ...figure,
    ...{ value: 100 * mean, unit: 'points', bar: 0, ok: mean > 0 && chance < MAX_CHANCE },
    note: `better than the vote by chance: p = ${chance.toFixed(4)}; ${each.length} pairs of ${all.length} data sets`,
  };
  const worse = all.filter((apart) => meanOf(apart) < -errorOf(apart)).length;
  yield { bench: 'ensembles', name: `${rule} worse`, value: worse, unit: 'data sets', bar: 0, ok: worse === 0 };
}

/** Two-sided; each difference gets a random sign, since the rules' names could be exchanged if these were equal. */
function chanceOf(values: readonly number[]): number {
  const rng = createRng(1);
  const sum = Math.abs(values.reduce((total, value) => total + value, 0));
  let asLarge = 0;
  for (let flip = 0; flip < FLIPS; flip++) {
    let total = 0;
    for (const value of values) total += rng.uniform() < 0.5 ? value : -value;
    if (Math.abs(total) >= sum - 1e-12) asLarge++;
  }
  return (asLarge + 1) / (FLIPS + 1);
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard error of the mean. */
function errorOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
}
