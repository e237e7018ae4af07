import type { Build } from './functions.ts';
import { rotatedRosenbrock, valley } from './structured.ts';
import {
  type Instance,
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

export const rastrigin: Build = ({ optimum, q, r }) => ({
  optimum,
  value: (x) => {
    const z = times(r, stretch(10, times(q, skew(0.2, oscillate(times(r, minus(x, optimum)))))));
    return ripples(z) + squares(z);
  },
});

export const weierstrass: Build = ({ dimensions, optimum, q, r }) => {
  const wave = (z: number): number => sum(range(12, (k) => 0.5 ** k * Math.cos(2 * Math.PI * 3 ** k * (z + 0.5))));
  const lowest = wave(0);
  return {
    optimum,
    value: (x) => {
      const z = times(r, stretch(0.01, times(q, oscillate(times(r, minus(x, optimum))))));
      return 10 * (sum(z.map(wave)) / dimensions - lowest) ** 3 + (10 / dimensions) * outside(x);
    },
  };
};

export const schaffers =
  (condition: number): Build =>
  ({ dimensions, optimum, q, r }) => ({
    optimum,
    value: (x) => {
      const z = stretch(condition, times(q, skew(0.5, times(r, minus(x, optimum)))));
      const s = range(dimensions - 1, (i) => Math.hypot(z[i] as number, z[i + 1] as number));
      const waves = s.map((v) => Math.sqrt(v) + Math.sqrt(v) * Math.sin(50 * v ** 0.2) ** 2);
      return (sum(waves) / (dimensions - 1)) ** 2 + 10 * outside(x);
    },
  });

export const griewankRosenbrock: Build = (instance) => {
  const { dimensions, r } = instance;
  const scale = Math.max(1, Math.sqrt(dimensions) / 8);
  return {
    optimum: rotatedRosenbrock(instance).optimum,
    value: (x) => {
      const s = valley(times(r, x).map((value) => scale * value + 0.5));
      return (10 / (dimensions - 1)) * sum(s.map((v) => v / 4000 - Math.cos(v))) + 10;
    },
  };
};

export const schwefel: Build = ({ dimensions, rng }) => {
  const sign = signs(dimensions, rng);
  const doubled = 4.2096874633;
  return {
    optimum: sign.map((value) => (value * doubled) / 2),
    value: (x) => {
      const turned = x.map((value, i) => 2 * (sign[i] as number) * value);
      const leaning = turned.map((value, i) =>
        i === 0 ? value : value + 0.25 * ((turned[i - 1] as number) - doubled),
      );
      const z = stretch(
        10,
        leaning.map((value) => value - doubled),
      ).map((value) => 100 * (value + doubled));
      const waves = sum(z.map((value) => value * Math.sin(Math.sqrt(Math.abs(value)))));
      return -waves / (100 * dimensions) + 4.189828872724339 + 100 * outside(z.map((value) => value / 100));
    },
  };
};

/** Peaks of different heights and widths; only the first reaches the top. */
export const gallagher =
  (peaks: number, { condition, reach }: { condition: number; reach: number }): Build =>
  ({ dimensions, rng, r }) => {
    const ranks = [...rng.shuffle(Int32Array.from({ length: peaks - 1 }, (_, j) => j))];
    const alphas = [condition, ...ranks.map((j) => 1000 ** ((2 * j) / (peaks - 2)))];
    const hills = alphas.map((alpha, i) => ({
      height: i === 0 ? 10 : 1.1 + (8 * (i - 1)) / (peaks - 2),
      at: range(dimensions, () => (2 * rng.uniform() - 1) * (i === 0 ? 0.8 * reach : reach)),
      widths: [...rng.shuffle(Int32Array.from({ length: dimensions }, (_, j) => j))].map(
        (j) => alpha ** (0.5 * part(j, dimensions)) / alpha ** 0.25,
      ),
    }));
    const heightAt = (x: Vector, { height, at, widths }: (typeof hills)[number]): number => {
      const distance = sum(times(r, minus(x, at)).map((v, i) => (widths[i] as number) * v * v));
      return height * Math.exp(-distance / (2 * dimensions));
    };
    return {
      optimum: hills[0]?.at ?? [],
      value: (x) => oscillateOne(10 - Math.max(...hills.map((hill) => heightAt(x, hill)))) ** 2 + outside(x),
    };
  };

export const katsuura: Build = ({ dimensions, optimum, q, r }) => ({
  optimum,
  value: (x) => {
    const z = times(q, stretch(100, times(r, minus(x, optimum))));
    const rough = (v: number): number =>
      sum(range(32, (j) => Math.abs(2 ** (j + 1) * v - Math.round(2 ** (j + 1) * v)) / 2 ** (j + 1)));
    const product = z.reduce((all, v, i) => all * (1 + (i + 1) * rough(v)) ** (10 / dimensions ** 1.2), 1);
    return (10 / dimensions ** 2) * (product - 1) + outside(x);
  },
});

export const lunacekBiRastrigin: Build = ({ dimensions, rng, q, r }: Instance) => {
  const near = 2.5;
  const sign = signs(dimensions, rng);
  const s = 1 - 1 / (2 * Math.sqrt(dimensions + 20) - 8.2);
  const far = -Math.sqrt((near * near - 1) / s);
  return {
    optimum: sign.map((value) => (value * near) / 2),
    value: (x) => {
      const turned = x.map((value, i) => 2 * (sign[i] as number) * value);
      const fromNear = turned.map((value) => value - near);
      const bowls = Math.min(squares(fromNear), dimensions + s * squares(turned.map((value) => value - far)));
      return bowls + ripples(times(q, stretch(100, times(r, fromNear)))) + 1e4 * outside(x);
    },
  };
};
