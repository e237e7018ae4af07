import { memberWeight } from '../domain/kinds/regression.ts';
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

/** Of a regression: the mean that is its answer; `scores` are those of the members on validation rows. */
export function numberParts(members: readonly ScoreParts[], scores: readonly number[]): AnswerParts {
  const weights = members.map((_, m) => memberWeight(scores[m] ?? 0));
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
 * Of classes: the log odds of the mean of the members' probabilities, for one class (by default the one that most members vote for). Log
 * odds are no sum of the scores of several members or classes; each of these scores counts by how much the log odds change with it, on average
 * on the straight way from the base to the score (Aumann and Shapley 1974). One member and two classes: exactly the sum. The
 * integral is a sum over steps, and what it lacks is spread over the parts in proportion to their size.
 */
export function classParts(members: readonly ScoreParts[], wanted: number): AnswerParts {
  const about = wanted >= 0 ? wanted : votedClass(members);
  const ends = members.map((member) => Float64Array.from(member.start, (_, s) => scoreOf(member, s)));
  const base = logOdds(
    members.map(({ start }) => start),
    about,
  );
  const score = logOdds(ends, about);
  const classes = members[0]?.start.length ?? 0;
  const steps = Math.max(4, Math.min(STEPS, Math.floor(MAX_STEPS_CLASSES / Math.max(1, classes))));
  const weights = members.map(() => new Float64Array(classes));
  for (let step = 0; step < steps; step++) {
    const at = (step + 0.5) / steps;
    const scores = members.map(({ start }, m) => start.map((from, s) => from + at * ((ends[m]?.[s] as number) - from)));
    addSlopes(scores, about, weights);
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

/** As `rafiki_predict` answers. */
const votedClass = (members: readonly ScoreParts[]): number =>
  majorityVote(
    members.map((member) => {
      const scores = Array.from(member.start, (_, s) => scoreOf(member, s));
      return scores.indexOf(Math.max(...scores));
    }),
  );

/** Of the mean of the probabilities of a class, from scores [members][classes]. */
function logOdds(members: readonly Float64Array[], about: number): number {
  const { own, others } = sharesOf(members, about);
  return Math.log(sumOf(own)) - Math.log(sumOf(others));
}

/** Of each member, the probabilities of the class and of all others together, the latter not as a difference: both may be tiny. */
function sharesOf(
  members: readonly Float64Array[],
  about: number,
): { own: number[]; others: number[]; each: Float64Array[] } {
  const each = members.map((scores) => {
    const largest = scores.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const powers = scores.map((value) => Math.max(LEAST, Math.exp(value - largest)));
    const total = powers.reduce((sum, value) => sum + value, 0);
    return powers.map((value) => value / total);
  });
  const own = each.map((shares) => shares[about] as number);
  const others = each.map((shares) => shares.reduce((sum, share, s) => (s === about ? sum : sum + share), 0));
  return { own, others, each };
}

/** Of probabilities, so that log odds are finite. */
const LEAST = 1e-300;

/** Adds the derivatives of the log odds by each score: (p ([same class] − q)) / (P (1 − P)) / members, where P is the mean of p. */
function addSlopes(members: readonly Float64Array[], about: number, into: readonly Float64Array[]): void {
  const { own, others, each } = sharesOf(members, about);
  const [sumOwn, sumOthers] = [sumOf(own), sumOf(others)];
  for (const [m, shares] of each.entries()) {
    const slopes = into[m] as Float64Array;
    const part = ((own[m] as number) / sumOwn) * (members.length / sumOthers);
    for (const [s, share] of shares.entries())
      slopes[s] = (slopes[s] as number) + part * (s === about ? (others[m] as number) : -share);
  }
}

function spreadRest(added: Float64Array, total: number): void {
  const rest = total - sumOf(added);
  const size = added.reduce((sum, part) => sum + Math.abs(part), 0);
  if (size > 0) for (const [j, part] of added.entries()) added[j] = part + (rest * Math.abs(part)) / size;
}

const sumOf = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
};
