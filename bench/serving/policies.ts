import type { PolicyOptions } from '../../src/serving/policies/policy.ts';
import { type PolicyKind, policies } from '../../src/serving/policies/registry.ts';
import { async } from './async.ts';

/** The compared policies: those of the server, and the paper's other baseline. */
export const simulated: readonly PolicyKind[] = [...policies, { name: 'async', create: async }];

/** In the paper's own setting nothing is dropped: late requests are answered as well. */
export const leaving = (drops: boolean): Pick<PolicyOptions, 'leavesOut'> => (drops ? {} : { leavesOut: () => 0 });

/** Whether the policy can be simulated without dropping; planner and price always leave out late requests. */
export const servesLate = ({ name }: PolicyKind): boolean => name !== 'planner' && name !== 'price';

export function simulatedPolicy(name: string): PolicyKind {
  const found = simulated.find((policy) => policy.name === name);
  if (found === undefined) throw new RangeError(`there is no policy "${name}"`);
  return found;
}
