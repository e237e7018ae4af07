import { InvalidParameter } from '../../errors/errors.ts';
import { eager } from './eager.ts';
import { greedy } from './greedy.ts';
import type { Policy } from './policy.ts';

/** The policies by name; `RAFIKI_POLICY` chooses one. */
export const policies: readonly Policy[] = [eager, greedy];

export function policyByName(name: string): Policy {
  const found = policies.find((policy) => policy.name === name);
  if (found !== undefined) return found;
  throw new InvalidParameter(`there is no serving policy "${name}"`, {
    hint: `Set RAFIKI_POLICY to one of ${policies.map((policy) => policy.name).join(', ')}.`,
  });
}
