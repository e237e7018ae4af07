import { createRng } from '../runtime/rng.ts';
import type { Advisor, Proposal, SearchSpace } from './advisor.ts';
import { type Axis, type Branch, branchesOf, proposalAt } from './axes.ts';
import { firstOfFamily } from './first-trials.ts';
import { stopDecision } from './stop-decision.ts';

/** Number of values per range; lists, and ranges of fewer integers, are used completely. */
const LEVELS = 5;
/**
 * Maximum of points examined to find an untried one. Hooks can make points equal; if this many in sequence were tried,
 * in random order, less than a hundredth of the grid is left (with an error probability of 1 in 20,000).
 */
const MAX_POINTS = 1000;

/**
 * Every combination of values, each once, in an order drawn from the seed: a study that ends early has then covered all
 * regions of the grid.
 */
export const grid: Advisor = {
  name: 'grid',
  title: 'every combination of values once, in an order drawn at random',
  ...stopDecision,

  propose(search, history) {
    const first = firstOfFamily(search, history);
    if (first !== null) return first;
    const tried = new Set(history.map(keyOf));
    const branches = branchesOf(search);
    const sizes = branches.map(({ axes }) => axes.reduce((size, axis) => size * BigInt(levelsOf(axis)), 1n));
    const total = sizes.reduce((sum, size) => sum + size, 0n);
    // From the beginning: the branches, and so the steps, are those of the families that may be tried now.
    const most = BigInt(tried.size + MAX_POINTS);
    const indexOf = shuffled(total, search.seed);
    for (let step = 0n; step < total && step < most; step++) {
      const proposal = pointAt(search, { branches, sizes }, indexOf(step));
      if (!tried.has(keyOf(proposal))) return proposal;
    }
    return null;
  },
};

interface Grid {
  branches: readonly Branch[];
  sizes: readonly bigint[];
}

function pointAt({ overrides }: SearchSpace, { branches, sizes }: Grid, index: bigint): Proposal {
  let rest = index;
  let at = 0;
  while (rest >= (sizes[at] as bigint)) rest -= sizes[at++] as bigint;
  const branch = branches[at] as Branch;
  const positions = branch.axes.map((axis) => {
    const levels = levelsOf(axis);
    const level = Number(rest % BigInt(levels));
    rest /= BigInt(levels);
    return axis.domain.kind === 'categorical' ? level : (level + 0.5) / levels;
  });
  return proposalAt(branch, overrides, positions);
}

function levelsOf({ domain }: Axis): number {
  if (domain.kind === 'categorical') return domain.list.length;
  const unit = domain.step ?? (domain.dtype === 'int' ? 1 : 0);
  return unit === 0 ? LEVELS : Math.min(LEVELS, Math.floor((domain.max - domain.min) / unit) + 1);
}

/** A permutation of 0 … total − 1: step → (a · step + b) mod total, which is one-to-one if a and total are coprime. */
function shuffled(total: bigint, seed: number): (step: bigint) => bigint {
  const rng = createRng(seed);
  const word = (): bigint => BigInt(rng.below(2 ** 32)) * 4294967296n + BigInt(rng.below(2 ** 32));
  let factor = (word() % total) + 1n;
  while (commonDivisor(factor, total) !== 1n) factor++;
  const offset = word() % total;
  return (step) => (factor * step + offset) % total;
}

const commonDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : commonDivisor(b, a % b));

/** Equal for equal proposals, independent of the order of their knobs. */
const keyOf = ({ family, knobs }: Proposal): string =>
  JSON.stringify([family, Object.entries(knobs).sort(([a], [b]) => (a < b ? -1 : 1))]);
