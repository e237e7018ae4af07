import { greedyWeights, type Uniform } from './greedy-weights.ts';
import { type Panel, type PanelEnsemble, type PanelMember, type ScoredPart, spread } from './panel.ts';
import { type EnsembleRule, MAX_MEMBERS, unweighted } from './rule.ts';

/** Parts of the validation rows: an ensemble is fitted to all but one, and scored on that one. */
const FOLDS = 5;

/** Fewer validation rows say nothing about weights. */
export const MIN_ROWS = 20;

/** Members of less weight cost as much as others, and change no answer. */
const MIN_WEIGHT = 0.05;

/** A family whose best candidate is further below the best of all is left out of a vote (paper, section 1: close to the best). */
export const MAX_GAP = 0.05;

interface ChoiceOptions {
  /** The family of each candidate of the panel, which are in the order of their scores, the best first. */
  families: readonly string[];
  /** Rules to choose from, preferred ones first. */
  rules: readonly EnsembleRule[];
  uniform: Uniform;
}

export interface ChosenEnsemble extends PanelEnsemble {
  /** On each part of the rows with an ensemble that was fitted to the others. */
  score: number;
}

/**
 * The ensemble that cross-validation over the validation rows prefers: the first rule, unless another one is better by more than a
 * standard error of the difference over the parts; at equal scores, as where all rows are right, the best alone, which answers sooner. Its
 * members and weights are then fitted to all rows.
 */
export function chooseEnsemble(panel: Panel, options: ChoiceOptions): ChosenEnsemble {
  const { rules, uniform } = options;
  const folds = foldsOf(panel.rows, uniform);
  const scored = rules.map((rule) => scoreRule(panel, { rule, folds, ...options }));
  const chosen = scored.reduce((first, other) => (isPreferred(other, first) ? other : first));
  return { ...fitEnsemble(panel, chosen.rule, { ...options, rows: allRows(panel) }), score: chosen.score };
}

interface ScoredRule {
  rule: EnsembleRule;
  score: number;
  /** On each part. */
  scores: number[];
}

function scoreRule(
  panel: Panel,
  { rule, folds, ...options }: ChoiceOptions & { rule: EnsembleRule; folds: readonly Int32Array[] },
): ScoredRule {
  const parts = folds.map((rows, held): ScoredPart => {
    const others = Int32Array.from(folds.flatMap((fold, f) => (f === held ? [] : Array.from(fold)))).sort();
    return { rows, ensemble: fitEnsemble(panel, rule, { ...options, rows: others }) };
  });
  return { rule, score: panel.score(parts), scores: parts.map((part) => panel.score([part])) };
}

function isPreferred(one: ScoredRule, other: ScoredRule): boolean {
  if (one.rule === 'best' && one.score === other.score) return true;
  const differences = one.scores.map((score, f) => score - (other.scores[f] as number));
  const mean = differences.reduce((sum, value) => sum + value, 0) / FOLDS;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (FOLDS - 1);
  return one.score - other.score > Math.sqrt(variance / FOLDS);
}

function foldsOf(rows: number, uniform: Uniform): Int32Array[] {
  const order = Int32Array.from({ length: rows }, (_, row) => row);
  for (let i = rows - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return Array.from({ length: FOLDS }, (_, f) => order.filter((_row, place) => place % FOLDS === f).sort());
}

/** The ensemble of a rule on these rows. */
export function fitEnsemble(
  panel: Panel,
  rule: EnsembleRule,
  { rows, families, uniform }: Pick<ChoiceOptions, 'families' | 'uniform'> & { rows: Int32Array },
): PanelEnsemble {
  const fitted = Int32Array.from(spread(rows.length, panel.effort.rows), (place) => rows[place] as number);
  const candidates = families.map((_, candidate) => candidate);
  if (rule === 'weighted') return { rule, members: weightedMembers(panel, { candidates, rows: fitted, uniform }) };
  const alone = candidates.map((candidate): PanelMember => {
    const member = { candidate, ...unweighted(0) };
    return { ...member, score: panel.score([{ rows, ensemble: { rule: 'best', members: [member] } }]) };
  });
  const ranked = alone.toSorted((a, b) => b.score - a.score || a.candidate - b.candidate);
  const members = rule === 'best' ? ranked.slice(0, 1) : votersOf(panel, { ranked, families, rows });
  const calibrated = members.map((member) => ({ ...member, temperature: panel.temperature(member.candidate, fitted) }));
  return { rule, members: calibrated };
}

/** Those that vote: of the best of each family, best first, as many as score best together. */
const votersOf = (
  panel: Panel,
  { ranked, families, rows }: { ranked: readonly PanelMember[]; families: readonly string[]; rows: Int32Array },
): PanelMember[] =>
  bestPart(
    bestOfEach(ranked, ({ candidate }) => families[candidate] as string),
    (members) => panel.score([{ rows, ensemble: { rule: 'vote', members } }]),
  ).members;

/** Of members ranked best first, the first ones that score best together; among equals, the most. There must be one. */
export function bestPart<M>(
  ranked: readonly M[],
  scoreOf: (members: readonly M[]) => number,
): { members: M[]; score: number } {
  const parts = ranked.map((_, last) => {
    const members = ranked.slice(0, last + 1);
    return { members, score: scoreOf(members) };
  });
  return parts.reduce((best, next) => (next.score >= best.score ? next : best));
}

/** The best of each of the best families, of what is ranked best first. */
export function bestOfEach<C extends { score: number }>(ranked: readonly C[], familyOf: (one: C) => string): C[] {
  const [first] = ranked;
  if (first === undefined) return [];
  return ranked
    .filter(({ score }) => first.score - score <= MAX_GAP)
    .filter((one, place, close) => close.findIndex((other) => familyOf(other) === familyOf(one)) === place)
    .slice(0, MAX_MEMBERS);
}

/** Fitted twice: all candidates, and those with the largest weights again. */
function weightedMembers(
  panel: Panel,
  { candidates, rows, uniform }: { candidates: readonly number[]; rows: Int32Array; uniform: Uniform },
): PanelMember[] {
  const temperatures = candidates.map((candidate) => panel.temperature(candidate, rows));
  const lossOf = panel.lossOf(temperatures);
  const weigh = (among: readonly number[]): [number, number][] =>
    [...greedyWeights(among, { rows, effort: panel.effort, lossOf, uniform })].filter(
      ([, weight]) => weight > MIN_WEIGHT,
    );
  let weights = weigh(candidates).sort(([, a], [, b]) => b - a);
  if (weights.length < candidates.length || weights.length > MAX_MEMBERS)
    weights = weigh(weights.slice(0, MAX_MEMBERS).map(([candidate]) => candidate));
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return weights
    .toSorted(([a], [b]) => a - b)
    .map(([candidate, weight]) => {
      const temperature = temperatures[candidate] as number;
      return { candidate, ...unweighted(0), weight: weight / total, temperature };
    });
}

export const allRows = ({ rows }: Panel): Int32Array => Int32Array.from({ length: rows }, (_, row) => row);
