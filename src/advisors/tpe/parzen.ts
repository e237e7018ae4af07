import type { Rng } from '../../runtime/rng.ts';
import { type Axis, type Branch, cellOf } from '../axes.ts';
import { cumulative, LOG_SQRT_2PI } from '../normal.ts';
import type { SearchPoint } from '../points.ts';

/**
 * One axis of a component: a normal distribution truncated to [0, 1], or a category with some probability for the
 * others.
 */
interface Kernel {
  centre: number;
  /** Standard deviation; for a category, the probability of each other one. */
  spread: number;
  /** log of the mass within [0, 1]. */
  logMass: number;
}

interface Component {
  branch: number;
  kernels: readonly Kernel[];
}

/**
 * A density over families and their knobs: a uniform mixture of one component per point, which is a product of kernels
 * over the axes of its family (so that dependencies are kept), and of the uniform prior.
 */
export interface Parzen {
  branches: readonly Branch[];
  components: readonly Component[];
}

/**
 * Attempts at drawing within [0, 1] before the nearest end is used; an attempt fails with a probability of at most 2/3.
 */
const MAX_DRAWS = 64;

export function estimate(branches: readonly Branch[], points: readonly SearchPoint[]): Parzen {
  const components = branches.flatMap(({ axes }, branch) => {
    const own = points.filter((point) => point.branch === branch).map(({ positions }) => positions);
    const spreads = axes.map((axis, i) => spreadOf(axis, own, i));
    return own.map((positions) => ({
      branch,
      kernels: axes.map((axis, i) => kernel(axis, positions[i] as number, spreads[i] as number)),
    }));
  });
  return { branches, components };
}

/** log of the density; for an integer, of the mass of its cell. */
export function logDensity({ branches, components }: Parzen, { branch, positions }: SearchPoint): number {
  const { axes } = branches[branch] as Branch;
  const cells = axes.map(({ domain }, i): [number, number] =>
    domain.kind === 'range' ? cellOf(domain, positions[i] as number) : [0, 0],
  );
  const logs = [logPrior(axes, cells) - Math.log(branches.length)];
  for (const component of components) {
    if (component.branch !== branch) continue;
    let sum = 0;
    for (let i = 0; i < axes.length; i++) {
      const kernel = component.kernels[i] as Kernel;
      const position = positions[i] as number;
      sum +=
        (axes[i] as Axis).domain.kind === 'range'
          ? logNormal(kernel, cells[i] as [number, number])
          : Math.log(position === kernel.centre ? 1 - others(axes[i] as Axis) * kernel.spread : kernel.spread);
    }
    logs.push(sum);
  }
  return logSumExp(logs) - Math.log(components.length + 1);
}

export function drawPoint({ branches, components }: Parzen, rng: Rng): SearchPoint {
  const chosen = components[rng.below(components.length + 1)];
  const branch = chosen?.branch ?? rng.below(branches.length);
  const { axes } = branches[branch] as Branch;
  const positions = Float64Array.from(axes, (axis, i) => drawOnAxis(axis, chosen?.kernels[i], rng));
  return { branch, positions };
}

function drawOnAxis({ domain }: Axis, kernel: Kernel | undefined, rng: Rng): number {
  if (domain.kind === 'categorical') {
    const { length } = domain.list;
    const other = kernel === undefined || rng.uniform() < length * kernel.spread;
    return other ? rng.below(length) : kernel.centre;
  }
  if (kernel === undefined) return rng.uniform();
  let position = kernel.centre;
  for (let draws = 0; draws < MAX_DRAWS; draws++) {
    position = kernel.centre + kernel.spread * rng.normal();
    if (position >= 0 && position <= 1) return position;
  }
  return Math.min(1, Math.max(0, position));
}

function kernel({ domain }: Axis, centre: number, spread: number): Kernel {
  if (domain.kind === 'categorical') return { centre, spread, logMass: 0 };
  return { centre, spread, logMass: Math.log(cumulative((1 - centre) / spread) - cumulative(-centre / spread)) };
}

/**
 * Scott's rule n^(−1/(d+4)) · deviation, with a minimum so that not only the good points found so far are explored. A
 * category shares a weight of one among all, as does the prior (Watanabe 2023, section 3.3).
 */
function spreadOf({ domain }: Axis, points: readonly Float64Array[], axis: number): number {
  const n = points.length;
  if (domain.kind === 'categorical') return 1 / (n + 1 + domain.list.length);
  const dimensions = points[0]?.length ?? 1;
  const minSpread = 1 / Math.min(100, n + 1);
  return Math.min(1, Math.max(minSpread, deviation(points, axis) * n ** (-1 / (dimensions + 4))));
}

function deviation(points: readonly Float64Array[], axis: number): number {
  const values = points.map((positions) => positions[axis] as number);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

function logNormal({ centre, spread, logMass }: Kernel, [low, high]: readonly [number, number]): number {
  if (low === high) return -0.5 * ((low - centre) / spread) ** 2 - Math.log(spread) - LOG_SQRT_2PI - logMass;
  // By symmetry, both ends are moved into the lower tail, where differences keep their precision.
  const [a, b] = low > centre ? [centre - high, centre - low] : [low - centre, high - centre];
  return Math.log(Math.max(cumulative(b / spread) - cumulative(a / spread), Number.MIN_VALUE)) - logMass;
}

const logPrior = (axes: readonly Axis[], cells: readonly (readonly [number, number])[]): number =>
  axes.reduce((sum, { domain }, i) => {
    if (domain.kind === 'categorical') return sum - Math.log(domain.list.length);
    const [low, high] = cells[i] as [number, number];
    return low === high ? sum : sum + Math.log(high - low);
  }, 0);

const others = ({ domain }: Axis): number => (domain.kind === 'categorical' ? domain.list.length - 1 : 0);

function logSumExp(logs: readonly number[]): number {
  const max = logs.reduce((a, b) => Math.max(a, b));
  return max + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - max), 0));
}
