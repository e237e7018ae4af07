import { NotSupported } from '../errors/errors.ts';
import type { Advisor } from './advisor.ts';
import { random } from './random.ts';

export const advisors: readonly Advisor[] = [random];

export function advisorByName(name: string): Advisor {
  const advisor = advisors.find((candidate) => candidate.name === name);
  if (advisor !== undefined) return advisor;
  throw new NotSupported(`there is no advisor "${name}"`, {
    hint: `Advisors: ${advisors.map((known) => known.name).join(', ')}.`,
  });
}
