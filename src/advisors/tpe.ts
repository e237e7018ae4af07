import { createRng, deriveSeed } from '../runtime/rng.ts';
import type { Advisor, TrialHistory } from './advisor.ts';
import { type Branch, branchesOf, proposalAt } from './axes.ts';
import { evidenceOf } from './evidence.ts';
import { firstOfFamily } from './first-trials.ts';
import { rankByInitialWeights } from './initial-weights.ts';
import { pointOf, type SearchPoint, snap } from './points.ts';
import { random } from './random.ts';
import { stopDecision } from './stop-decision.ts';
import { drawPoint, estimate, logDensity, type Parzen } from './tpe/parzen.ts';

/** Random trials before the estimator is used. */
const STARTUP_TRIALS = 10;
/** Share of the trials that count as good, and their maximum. */
const GOOD_SHARE = 0.1;
const MAX_GOOD = 25;
/** Maximum of the other trials, the latest, which bounds the time of a proposal. */
const MAX_OTHERS = 400;
/** Draws from the density of the good trials, the best of which is proposed. */
const CANDIDATES = 24;

/**
 * Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate (Falkner et al. 2018): a density l of good trials and
 * a density g of the others, over families and knobs together; of some draws from l the one with the largest l/g is
 * proposed. Running trials count as not good (constant liar), so that several workers do not try the same values.
 */
export const tpe: Advisor = {
  name: 'tpe',
  title: 'values that are frequent among good trials (Parzen estimators)',
  ...stopDecision,

  propose(search, history) {
    const { scored } = evidenceOf(history);
    const first = firstOfFamily(search, history);
    if (first !== null || scored.length < STARTUP_TRIALS) return first ?? random.propose(search, history);
    const branches = branchesOf(search);
    const { good, others } = densities(branches, history);
    const rng = createRng(deriveSeed(search.seed, history.length));
    const best = bestOf(CANDIDATES, () => {
      const point = snap(search, branches, drawPoint(good, rng));
      return { point, value: logDensity(good, point) - logDensity(others, point) };
    });
    return proposalAt(branches[best.branch] as Branch, search.overrides, best.positions);
  },
};

function densities(branches: readonly Branch[], history: readonly TrialHistory[]): { good: Parzen; others: Parzen } {
  const { scored, pending } = evidenceOf(history);
  const ranked = rankByInitialWeights(scored);
  const count = Math.min(MAX_GOOD, Math.ceil(GOOD_SHARE * ranked.length));
  const rest = [...ranked.slice(count), ...pending].sort((a, b) => a.number - b.number).slice(-MAX_OTHERS);
  const points = (trials: readonly TrialHistory[]): SearchPoint[] =>
    trials.flatMap((trial) => pointOf(branches, trial) ?? []);
  return { good: estimate(branches, points(ranked.slice(0, count))), others: estimate(branches, points(rest)) };
}

function bestOf(count: number, candidate: () => { point: SearchPoint; value: number }): SearchPoint {
  let best = candidate();
  for (let i = 1; i < count; i++) {
    const next = candidate();
    if (next.value > best.value) best = next;
  }
  return best.point;
}
