import { createHash } from 'node:crypto';
import type { BinnedTable } from './binned-table.ts';
import type { BoostingObjective, TreeTargets } from './objective.ts';
import type { BoostingSettings } from './settings.ts';

interface TreeSource {
  settings: BoostingSettings;
  objective: BoostingObjective;
  work: { table: BinnedTable };
  targets: TreeTargets;
}

/**
 * Hash of all that trees follow from: settings, where scores start and how derivatives become integers, targets and weights, and each row's
 * bins. Workers that have read the same rows may differ in it, because numbers of texts are logarithms, whose last bits depend on
 * the machine.
 */
export function treeFingerprint({ settings, objective, work: { table }, targets }: TreeSource): string {
  const { outputs, base, gradientUnit, hessianUnit, maxOfRow } = objective;
  const hash = createHash('sha256');
  const add = (array: Float32Array | Uint8Array): void => {
    hash.update(`${array.length} `).update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  };
  hash.update(JSON.stringify([Object.entries(settings).sort(), outputs, gradientUnit, hessianUnit, maxOfRow]));
  for (const { categorical, edges } of table.features) {
    hash.update(`${categorical} `);
    add(edges);
  }
  for (const numbers of [base, targets.values, targets.weights ?? new Float32Array(0)]) add(numbers);
  add(table.bins);
  return hash.digest('hex');
}
