import { InvalidParameter } from '../../errors/errors.ts';
import { aimd } from './aimd.ts';
import { eager } from './eager.ts';
import { fixedBatch } from './fixed-batch.ts';
import { greedy } from './greedy.ts';
import { actorCritic } from './learned/actor-critic.ts';
import { planner } from './planner.ts';
import type { Policy, PolicyOptions } from './policy.ts';
import { priceRule } from './price-rule.ts';

export interface PolicyKind {
  readonly name: string;
  create(options: PolicyOptions): Policy;
}

/**
 * The policies by name. `RAFIKI_POLICY` chooses one; the default wins the comparison in docs/experiments/serving.md.
 */
export const policies: readonly PolicyKind[] = [
  { name: 'planner', create: planner },
  { name: 'price', create: priceRule },
  { name: 'greedy', create: greedy },
  { name: 'eager', create: eager },
  { name: 'fixed', create: fixedBatch },
  { name: 'aimd', create: aimd },
  { name: 'actor-critic', create: actorCritic },
];

export const DEFAULT_POLICY = 'planner';

export function policyByName(name: string): PolicyKind {
  const found = policies.find((policy) => policy.name === name);
  if (found !== undefined) return found;
  throw new InvalidParameter(`there is no serving policy "${name}"`, {
    hint: `Set RAFIKI_POLICY to one of ${policies.map((policy) => policy.name).join(', ')}.`,
  });
}
