import type { Build } from './functions.ts';
import {
  minus,
  oscillate,
  oscillateOne,
  outside,
  part,
  range,
  ripples,
  signs,
  skew,
  squares,
  stretch,
  sum,
  times,
  type Vector,
} from './transforms.ts';

/** Σ 10^(6 i/(D−1)) z_i². */
const ellipsoid = (z: Vector): number => sum(z.map((value, i) => 10 ** (6 * part(i, z.length)) * value * value));

/** Rosenbrock's valley, with its optimum at z = 1. */
export const valley = (z: Vector): Vector =>
  range(z.length - 1, (i) => {
    const [here, next] = [z[i] as number, z[i + 1] as number];
    return 100 * (here * here - next) ** 2 + (here - 1) ** 2;
  });

export const sphere: Build = ({ optimum }) => ({ optimum, value: (x) => squares(minus(x, optimum)) });

export const separableEllipsoid: Build = ({ optimum }) => ({
  optimum,
  value: (x) => ellipsoid(oscillate(minus(x, optimum))),
});

export const separableRastrigin: Build = ({ optimum }) => ({
  optimum,
  value: (x) => {
    const z = stretch(10, skew(0.2, oscillate(minus(x, optimum))));
    return ripples(z) + squares(z);
  },
});

export const bucheRastrigin: Build = (instance) => {
  const optimum = instance.optimum.map((value, i) => (i % 2 === 0 ? Math.abs(value) : value));
  return {
    optimum,
    value: (x) => {
      const z = stretch(10, oscillate(minus(x, optimum))).map((v, i) => (v > 0 && i % 2 === 0 ? 10 * v : v));
      return ripples(z) + squares(z) + 100 * outside(x);
    },
  };
};

export const linearSlope: Build = ({ dimensions, rng }) => {
  const optimum = signs(dimensions, rng).map((sign) => 5 * sign);
  const slopes = optimum.map((value, i) => Math.sign(value) * 10 ** part(i, dimensions));
  return {
    optimum,
    value: (x) => {
      const z = x.map((value, i) => (value * (optimum[i] as number) < 25 ? value : (optimum[i] as number)));
      return sum(slopes.map((slope, i) => 5 * Math.abs(slope) - slope * (z[i] as number)));
    },
  };
};

export const attractiveSector: Build = ({ optimum, q, r }) => ({
  optimum,
  value: (x) => {
    const z = times(q, stretch(10, times(r, minus(x, optimum))));
    return oscillateOne(squares(z.map((v, i) => (v * (optimum[i] as number) > 0 ? 100 * v : v)))) ** 0.9;
  },
});

export const stepEllipsoid: Build = ({ dimensions, optimum, q, r }) => ({
  optimum,
  value: (x) => {
    const smooth = stretch(10, times(r, minus(x, optimum)));
    const steps = smooth.map((v) => (Math.abs(v) > 0.5 ? Math.floor(0.5 + v) : Math.floor(0.5 + 10 * v) / 10));
    const slope = sum(times(q, steps).map((v, i) => 10 ** (2 * part(i, dimensions)) * v * v));
    return 0.1 * Math.max(Math.abs(smooth[0] as number) / 1e4, slope) + outside(x);
  },
});

export const rosenbrock: Build = (instance) => {
  const optimum = instance.optimum.map((value) => 0.75 * value);
  const scale = Math.max(1, Math.sqrt(instance.dimensions) / 8);
  return { optimum, value: (x) => sum(valley(minus(x, optimum).map((value) => scale * value + 1))) };
};

export const rotatedRosenbrock: Build = ({ dimensions, r }) => {
  const scale = Math.max(1, Math.sqrt(dimensions) / 8);
  const back = range(dimensions, (i) => sum(r.map((row) => row[i] as number)) / (2 * scale)); // Rᵀ(1 − ½)/scale
  return { optimum: back, value: (x) => sum(valley(times(r, x).map((value) => scale * value + 0.5))) };
};

export const rotatedEllipsoid: Build = ({ optimum, r }) => ({
  optimum,
  value: (x) => ellipsoid(oscillate(times(r, minus(x, optimum)))),
});

export const discus: Build = ({ optimum, r }) => ({
  optimum,
  value: (x) => {
    const [first = 0, ...rest] = oscillate(times(r, minus(x, optimum)));
    return 1e6 * first * first + squares(rest);
  },
});

export const bentCigar: Build = ({ optimum, r }) => ({
  optimum,
  value: (x) => {
    const [first = 0, ...rest] = times(r, skew(0.5, times(r, minus(x, optimum))));
    return first * first + 1e6 * squares(rest);
  },
});

export const sharpRidge: Build = ({ optimum, q, r }) => ({
  optimum,
  value: (x) => {
    const [first = 0, ...rest] = times(q, stretch(10, times(r, minus(x, optimum))));
    return first * first + 100 * Math.sqrt(squares(rest));
  },
});

export const differentPowers: Build = ({ dimensions, optimum, r }) => ({
  optimum,
  value: (x) => {
    const z = times(r, minus(x, optimum));
    return Math.sqrt(sum(z.map((v, i) => Math.abs(v) ** (2 + 4 * part(i, dimensions)))));
  },
});
