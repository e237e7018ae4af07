import * as multimodal from './multimodal.ts';
import * as structured from './structured.ts';
import { createInstance, type Instance, type Vector } from './transforms.ts';

/** A function to minimise over [−5, 5]^D; its minimum is 0, at `optimum`. */
export interface Objective {
  optimum: Vector;
  value(x: Vector): number;
}

export type Build = (instance: Instance) => Objective;

/** The 24 noiseless functions, numbered f1 … f24 as in Hansen et al. 2009. */
const builds: readonly Build[] = [
  structured.sphere,
  structured.separableEllipsoid,
  structured.separableRastrigin,
  structured.bucheRastrigin,
  structured.linearSlope,
  structured.attractiveSector,
  structured.stepEllipsoid,
  structured.rosenbrock,
  structured.rotatedRosenbrock,
  structured.rotatedEllipsoid,
  structured.discus,
  structured.bentCigar,
  structured.sharpRidge,
  structured.differentPowers,
  multimodal.rastrigin,
  multimodal.weierstrass,
  multimodal.schaffers(10),
  multimodal.schaffers(1000),
  multimodal.griewankRosenbrock,
  multimodal.schwefel,
  multimodal.gallagher(101, { condition: 1000, reach: 5 }),
  multimodal.gallagher(21, { condition: 1000 ** 2, reach: 4.9 }),
  multimodal.katsuura,
  multimodal.lunacekBiRastrigin,
];

export const FUNCTIONS = builds.length;

/** Function `number`, from 1; each seed moves its optimum and rotates its axes. */
export function bbob(number: number, dimensions: number, seed: number): Objective {
  const build = builds[number - 1];
  if (build === undefined) throw new RangeError(`there is no BBOB function ${number}`);
  return build(createInstance(dimensions, seed * 100 + number));
}
