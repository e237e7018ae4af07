import type { EnsembleRule, MemberWeight } from '../domain/ensembles/rule.ts';
import { numberWeight } from '../domain/kinds/number-panel.ts';
import { majorityVote } from '../domain/vote.ts';
import { type ScoreParts, scoreOf } from './member.ts';

/** The answer of an ensemble, taken apart: `score` is `base` and all `added`. */
export interface AnswerParts {
  /** The class, by its number, whose log odds the score is; −1: the score is a number. */
  about: number;
  score: number;
  base: number;
  added: Float64Array;
}

/** How the members answer together. */
export interface AnsweringRule {
  rule: EnsembleRule;
  /** What each member counts. */
  members: readonly MemberWeight[];
}

/** Of a regression: the mean that is its answer. */
export function numberParts(members: readonly ScoreParts[], together: AnsweringRule): AnswerParts {
  const weights = members.map((_, m) => numberWeight(together.members[m], together.rule));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const added = new Float64Array(members[0]?.added[0]?.length ?? 0);
  let base = 0;
  for (const [m, member] of members.entries()) {
    const share = (weights[m] as number) / total;
    base += share * (member.start[0] as number);
    for (const [j, part] of (member.added[0] as Float64Array).entries()) added[j] = (added[j] as number) + share * part;
  }
  return { about: -1, score: added.reduce((sum, part) => sum + part, base), base, added };
}

/** Steps of the way from the base to the score; fewer for very many classes. */
const STEPS = 64;
const MAX_STEPS_CLASSES = 65_536;

/**
 * Of classes: the log odds of the mean of the members' probabilities as `rafiki_predict_detail` shows them, for one class (by default the
 * answer). Log
 * odds are no sum of the scores of several members or classes; each of these scores counts by how much the log odds change with it, on average
 * on the straight way from the base to the score (Aumann and Shapley 1974). One member and two classes: exactly the sum. The
 * integral is a sum over steps, and what it lacks is spread over the parts in proportion to their size.
 */
export function classParts(given: readonly ScoreParts[], wanted: number, together: AnsweringRule): AnswerParts {
  const members = given.map((member, m) => calibrated(member, together.members[m]?.temperature ?? 1));
  const counts = members.map((_, m) => (together.rule === 'vote' ? 1 : (together.members[m]?.weight ?? 1)));
  const ends = members.map((member) => Float64Array.from(member.start, (_, s) => scoreOf(member, s)));
  const about = wanted >= 0 ? wanted : answeredClass(ends, counts, together.rule);
  const base = logOdds(
    members.map(({ start }) => start),
    about,
    counts,
  );
  const score = logOdds(ends, about, counts);
  const classes = members[0]?.start.length ?? 0;
  const steps = Math.max(4, Math.min(STEPS, Math.floor(MAX_STEPS_CLASSES / Math.max(1, classes))));
  const weights = members.map(() => new Float64Array(classes));
  for (let step = 0; step < steps; step++) {
    const at = (step + 0.5) / steps;
    const scores = members.map(({ start }, m) => start.map((from, s) => from + at * ((ends[m]?.[s] as number) - from)));
    addSlopes(scores, about, { counts, into: weights });
  }
  const added = new Float64Array(members[0]?.added[0]?.length ?? 0);
  for (const [m, member] of members.entries())
    for (const [s, own] of member.added.entries()) {
      const weight = (weights[m]?.[s] as number) / steps;
      for (const [j, part] of own.entries()) added[j] = (added[j] as number) + weight * part;
    }
  spreadRest(added, score - base);
  return { about, score, base, added };
}

/** Temperature scaling divides the logarithms of probabilities, and so each part of them. */
const calibrated = ({ start, added }: ScoreParts, temperature: number): ScoreParts => ({
  start: start.map((score) => score / temperature),
  added: added.map((own) => own.map((part) => part / temperature)),
});

/** As `rafiki_predict` answers, from scores [members][classes]. */
function answeredClass(members: readonly Float64Array[], counts: readonly number[], rule: EnsembleRule): number {
  if (rule === 'vote') return majorityVote(members.map((scores) => scores.indexOf(Math.max(...scores))));
  const each = probabilitiesOf(members);
  const means = Array.from(members[0] ?? [], (_, about) =>
    weightedSum(
      each.map((shares) => shares[about] as number),
      counts,
    ),
  );
  return means.indexOf(means.reduce((most, mean) => Math.max(most, mean), Number.NEGATIVE_INFINITY));
}

/** Of the mean of the probabilities of a class, from scores [members][classes]; each member `counts` so much. */
function logOdds(members: readonly Float64Array[], about: number, counts: readonly number[]): number {
  const { own, others } = sharesOf(members, about);
  return Math.log(weightedSum(own, counts)) - Math.log(weightedSum(others, counts));
}

/** Of each member, the probabilities of the class and of all others together, the latter not as a difference: both may be tiny. */
function sharesOf(
  members: readonly Float64Array[],
  about: number,
): { own: number[]; others: number[]; each: Float64Array[] } {
  const each = probabilitiesOf(members);
  const own = each.map((shares) => shares[about] as number);
  const others = each.map((shares) => shares.reduce((sum, share, s) => (s === about ? sum : sum + share), 0));
  return { own, others, each };
}

/** [members][classes], from scores. */
const probabilitiesOf = (members: readonly Float64Array[]): Float64Array[] =>
  members.map((scores) => {
    const largest = scores.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const powers = scores.map((value) => Math.max(LEAST, Math.exp(value - largest)));
    const total = powers.reduce((sum, value) => sum + value, 0);
    return powers.map((value) => value / total);
  });

/** Of probabilities, so that log odds are finite. */
const LEAST = 1e-300;

/** Adds the derivatives of the log odds by each score: (w p ([same class] − q)) / (P (1 − P)), where P is the mean of p with weights w. */
function addSlopes(
  members: readonly Float64Array[],
  about: number,
  { counts, into }: { counts: readonly number[]; into: readonly Float64Array[] },
): void {
  const { own, others, each } = sharesOf(members, about);
  const [sumOwn, sumOthers] = [weightedSum(own, counts), weightedSum(others, counts)];
  const total = sumOf(counts);
  for (const [m, shares] of each.entries()) {
    const slopes = into[m] as Float64Array;
    const part = (((counts[m] as number) * (own[m] as number)) / sumOwn) * (total / sumOthers);
    for (const [s, share] of shares.entries())
      slopes[s] = (slopes[s] as number) + part * (s === about ? (others[m] as number) : -share);
  }
}

function spreadRest(added: Float64Array, total: number): void {
  const rest = total - sumOf(added);
  const size = added.reduce((sum, part) => sum + Math.abs(part), 0);
  if (size > 0) for (const [j, part] of added.entries()) added[j] = part + (rest * Math.abs(part)) / size;
}

const weightedSum = (values: readonly number[], counts: readonly number[]): number =>
  values.reduce((sum, value, m) => sum + value * (counts[m] as number), 0);

const sumOf = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
};
