import type { Rng } from '../../runtime/rng.ts';
import type { Branch } from '../axes.ts';
import type { SearchPoint } from '../points.ts';

/**
 * Numbers of points drawn uniformly, and near each of the best trials; the best of all are then improved step by step.
 */
const ANYWHERE = 200;
const NEAR_EACH = 20;
const CLIMBERS = 3;
const STEPS = 40;
/** The initial and the smallest step, as a share of the axis. */
const FAR = 0.2;
const NEAR = 1e-4;

export interface Landscape {
  branches: readonly Branch[];
  /** Points whose neighbourhood is searched. */
  incumbents: readonly SearchPoint[];
  /** The acquisition value of a point. */
  value(point: SearchPoint): number;
}

interface Valued {
  point: SearchPoint;
  value: number;
}

/** The point with the highest value in a bounded search: random draws, then steps that shorten when they fail. */
export function mostPromising({ branches, incumbents, value }: Landscape, rng: Rng): SearchPoint {
  const valued = (point: SearchPoint): Valued => ({ point, value: value(point) });
  const candidates = [
    ...Array.from({ length: ANYWHERE }, () => anywhere(branches, rng)),
    ...incumbents.flatMap((point) =>
      Array.from({ length: NEAR_EACH }, () =>
        moved(branches, point, { scale: FAR * (NEAR / FAR) ** rng.uniform(), rng }),
      ),
    ),
  ].map(valued);
  const best = candidates.sort((a, b) => b.value - a.value).slice(0, CLIMBERS);
  const tops = best.map((start) => climb(start, (point, scale) => valued(moved(branches, point, { scale, rng }))));
  return tops.reduce((top, next) => (next.value > top.value ? next : top)).point;
}

function climb(start: Valued, step: (point: SearchPoint, scale: number) => Valued): Valued {
  let top = start;
  let scale = FAR / 2;
  for (let i = 0; i < STEPS; i++) {
    const next = step(top.point, scale);
    const better = next.value > top.value;
    if (better) top = next;
    scale = Math.max(NEAR, scale * (better ? 1.5 : 0.8));
  }
  return top;
}

function anywhere(branches: readonly Branch[], rng: Rng): SearchPoint {
  const branch = rng.below(branches.length);
  const positions = Float64Array.from((branches[branch] as Branch).axes, ({ domain }) =>
    domain.kind === 'range' ? rng.uniform() : rng.below(domain.list.length),
  );
  return { branch, positions };
}

/** Moves half of the axes, at least one: numbers by a normal step, categories to a random one. */
function moved(
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
