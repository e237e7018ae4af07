import { readFileSync } from 'node:fs';
import { createRng } from '../../src/runtime/rng.ts';
import type { Figure } from '../figure.ts';
import { parseTrace } from './arrivals.ts';
import { bound } from './bound.ts';
import { simulated } from './policies.ts';
import { simulate } from './simulator.ts';
import { figure } from './table.ts';
import { settings } from './workloads.ts';

/** Every policy, dropping, on the arrivals of a file, in each setting. */
export async function* traceFigures(file: string): AsyncIterable<Figure> {
  const arrivals = parseTrace(readFileSync(file, 'utf8'));
  for (const { name, fleet, budgetMs } of settings.filter((setting) => setting.name !== 'three-572')) {
    const max = await bound(fleet, arrivals, budgetMs);
    for (const { name: policyName, create } of simulated) {
      const { reward, overdue, refused, requests } = simulate({
        fleet,
        budgetMs,
        arrivals,
        policy: (known) => create({ fleet: known, seed: 1 }),
        drops: true,
        noise: 0,
        rng: createRng(1),
      });
      const note = `missed ${((overdue + refused) / requests).toFixed(3)}, bound ${max.missed.toFixed(3)}`;
      yield { ...figure(`${name}-trace-${policyName}`, reward / max.reward, 'of bound', {}), note };
    }
  }
}
