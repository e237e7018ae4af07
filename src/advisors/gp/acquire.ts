import type { Rng } from '../../runtime/rng.ts';
import type { Branch } from '../axes.ts';
import type { SearchPoint } from '../points.ts';

/**
 * Numbers of points drawn uniformly, and near each of the best trials; the best of all are then improved by local search.
 */
const UNIFORM_POINTS = 200;
const POINTS_PER_INCUMBENT = 20;
const LOCAL_SEARCHES = 3;
const STEPS = 40;
/** The initial and the smallest step, as a share of the axis. */
const MAX_SCALE = 0.2;
const MIN_SCALE = 1e-4;

export interface Acquisition {
  branches: readonly Branch[];
  /** Points whose neighbourhood is searched. */
  incumbents: readonly SearchPoint[];
  /** The acquisition value of a point. */
  value(point: SearchPoint): number;
}

interface EvaluatedPoint {
  point: SearchPoint;
  value: number;
}

/** The point with the highest value found in a bounded search: random draws, then random steps that shorten when they fail. */
export function maximise({ branches, incumbents, value }: Acquisition, rng: Rng): SearchPoint {
  const evaluated = (point: SearchPoint): EvaluatedPoint => ({ point, value: value(point) });
  const candidates = [
    ...Array.from({ length: UNIFORM_POINTS }, () => uniformPoint(branches, rng)),
    ...incumbents.flatMap((point) =>
      Array.from({ length: POINTS_PER_INCUMBENT }, () =>
        perturbed(branches, point, { scale: MAX_SCALE * (MIN_SCALE / MAX_SCALE) ** rng.uniform(), rng }),
      ),
    ),
  ].map(evaluated);
  const best = candidates.sort((a, b) => b.value - a.value).slice(0, LOCAL_SEARCHES);
  const maxima = best.map((candidate) =>
    improve(candidate, (point, scale) => evaluated(perturbed(branches, point, { scale, rng }))),
  );
  return maxima.reduce((top, next) => (next.value > top.value ? next : top)).point;
}

function improve(first: EvaluatedPoint, step: (point: SearchPoint, scale: number) => EvaluatedPoint): EvaluatedPoint {
  let best = first;
  let scale = MAX_SCALE / 2;
  for (let i = 0; i < STEPS; i++) {
    const next = step(best.point, scale);
    const better = next.value > best.value;
    if (better) best = next;
    scale = Math.max(MIN_SCALE, scale * (better ? 1.5 : 0.8));
  }
  return best;
}

function uniformPoint(branches: readonly Branch[], rng: Rng): SearchPoint {
  const branch = rng.below(branches.length);
  const positions = Float64Array.from((branches[branch] as Branch).axes, ({ domain }) =>
    domain.kind === 'range' ? rng.uniform() : rng.below(domain.list.length),
  );
  return { branch, positions };
}

/** Changes half of the axes, at least one: numbers by a normal step, categories to a random one. */
function perturbed(
  branches: readonly Branch[],
  { branch, positions }: SearchPoint,
  { scale, rng }: { scale: number; rng: Rng },
): SearchPoint {
  const { axes } = branches[branch] as Branch;
  const one = rng.below(axes.length);
  const next = positions.map((position, i) => {
    const domain = axes[i]?.domain;
    if (domain === undefined || (i !== one && rng.uniform() < 0.5)) return position;
    if (domain.kind === 'categorical')
      return i === one || rng.uniform() < scale ? rng.below(domain.list.length) : position;
    return Math.min(1, Math.max(0, position + scale * rng.normal()));
  });
  return { branch, positions: next };
}
