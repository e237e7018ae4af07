import { InvalidParameter } from '../src/errors/errors.ts';
import { dataFigure, summaryOf } from './ensembles/figures.ts';
import { type EnsembleData, ensembleData, trainedMembers } from './ensembles/members.ts';
import { comparedRules, testedRules } from './ensembles/rules.ts';
import type { Figure } from './figure.ts';
import { KeptResults } from './results.ts';

export interface EnsemblesOptions {
  /** The small tables only. */
  quick: boolean;
  /** Data sets, separated by commas, instead of all. */
  data?: string | undefined;
  seeds?: string | undefined;
}

/** Trained in seconds. */
const small: readonly EnsembleData[] = ['autompg', 'german', 'housing', 'segment'];
const SEEDS = 5;

/**
 * Weighted ensembles compared with the vote: the same trials, which are trained once for each data set and seed with quick recipes, and a
 * fifth of the rows as a test, another one for each seed. What is in the results already is not measured again.
 */
export async function* ensemblesBench({ quick, data, seeds = String(SEEDS) }: EnsemblesOptions): AsyncIterable<Figure> {
  const asked = data?.split(',') ?? (quick ? small : ensembleData);
  const unknown = asked.find((name) => !ensembleData.some((known) => known === name));
  if (unknown !== undefined)
    throw new InvalidParameter(`there is no data set "${unknown}"`, { hint: `Data sets: ${ensembleData.join(', ')}.` });
  const names = ensembleData.filter((name) => asked.includes(name));
  const kept = new KeptResults('ensembles/rules.csv', ['data', 'seed', 'rule', 'score', 'members']);
  for (const name of names) {
    for (let seed = 1; seed <= Number(seeds); seed++) {
      if (comparedRules.every((rule) => kept.has(name, seed, rule))) continue;
      const tested = testedRules(await trainedMembers(name, seed), seed);
      kept.add(...tested.map(({ rule, score, members }) => [name, seed, rule, score.toFixed(6), members]));
    }
    for (const rule of ['weighted', 'default'] as const) yield dataFigure(kept, { data: name, rule });
  }
  for (const rule of ['weighted', 'default'] as const) yield* summaryOf(kept, names, rule);
}
