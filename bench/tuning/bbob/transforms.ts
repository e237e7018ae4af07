import { createRng, deriveSeed, type Rng } from '../../../src/runtime/rng.ts';

/** The building blocks of the BBOB functions (Hansen et al. 2009, "Real-Parameter Black-Box Optimization Benchmarking"). */
export type Vector = readonly number[];
export type Rotation = readonly Vector[];

/** What distinguishes one instance of a function from another: where its optimum lies, and two rotations. */
export interface Instance {
  dimensions: number;
  rng: Rng;
  /** In [−4, 4] in every direction. */
  optimum: Vector;
  q: Rotation;
  r: Rotation;
}

export function createInstance(dimensions: number, seed: number): Instance {
  const rng = createRng(deriveSeed(seed, dimensions));
  const optimum = range(dimensions, () => 8 * rng.uniform() - 4);
  return { dimensions, rng, optimum, q: rotation(dimensions, rng), r: rotation(dimensions, rng) };
}

export const range = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));

/** i / (D − 1): 0 for the first direction, 1 for the last. */
export const part = (i: number, dimensions: number): number => (dimensions === 1 ? 0 : i / (dimensions - 1));

export const minus = (x: Vector, y: Vector): number[] => x.map((value, i) => value - (y[i] as number));
export const sum = (values: Vector): number => values.reduce((a, b) => a + b, 0);
export const squares = (x: Vector): number => sum(x.map((value) => value * value));

export const times = (matrix: Rotation, x: Vector): number[] =>
  matrix.map((row) => row.reduce((total, value, i) => total + value * (x[i] as number), 0));

/** Λ^α: direction i stretched by α^(½ i/(D−1)). */
export const stretch = (alpha: number, x: Vector): number[] =>
  x.map((value, i) => value * alpha ** (0.5 * part(i, x.length)));

/** T_osz of one number: small ripples that break symmetry around the optimum. */
export function oscillateOne(value: number): number {
  if (value === 0) return 0;
  const log = Math.log(Math.abs(value));
  const [c1, c2] = value > 0 ? [10, 7.9] : [5.5, 3.1];
  return Math.sign(value) * Math.exp(log + 0.049 * (Math.sin(c1 * log) + Math.sin(c2 * log)));
}

export const oscillate = (x: Vector): number[] => x.map(oscillateOne);

/** T_asy^β: what is positive grows faster, the more so the later the direction. */
export const skew = (beta: number, x: Vector): number[] =>
  x.map((value, i) => (value > 0 ? value ** (1 + beta * part(i, x.length) * Math.sqrt(value)) : value));

/** f_pen: how far outside of [−5, 5]. */
export const outside = (x: Vector): number => sum(x.map((value) => Math.max(0, Math.abs(value) - 5) ** 2));

/** 10 (D − Σ cos 2πz): the ripples of Rastrigin's function. */
export const ripples = (z: Vector): number => 10 * (z.length - sum(z.map((value) => Math.cos(2 * Math.PI * value))));

/** −1 or 1 in each direction. */
export const signs = (dimensions: number, rng: Rng): number[] =>
  range(dimensions, () => (rng.uniform() < 0.5 ? -1 : 1));

/** A random orthogonal matrix: Gram-Schmidt on normal rows. */
function rotation(n: number, rng: Rng): Rotation {
  const rows: number[][] = [];
  while (rows.length < n) {
    let row = range(n, () => rng.normal());
    for (const other of rows) {
      const along = sum(row.map((value, i) => value * (other[i] as number)));
      row = row.map((value, i) => value - along * (other[i] as number));
    }
    const length = Math.sqrt(squares(row));
    rows.push(row.map((value) => value / length));
  }
  return rows;
}
