import { InvalidParameter } from '../errors/errors.ts';
import type { Advisor } from './advisor.ts';
import { bayesian } from './bayesian.ts';
import { grid } from './grid.ts';
import { random } from './random.ts';
import { tpe } from './tpe.ts';

export const advisors: readonly Advisor[] = [bayesian, tpe, random, grid];

export function advisorByName(name: string): Advisor {
  const advisor = advisors.find((candidate) => candidate.name === name);
  if (advisor !== undefined) return advisor;
  throw new InvalidParameter(`there is no advisor "${name}"`, {
    hint: `Advisors: ${advisors.map((known) => known.name).join(', ')}.`,
  });
}
