import { appendFileSync } from 'node:fs';

// Part of each planted file (bench/mutants/plant.ts): selects the mutant that is on, and records which ones a test executes. Processes
// that a test starts inherit the test's name.
const on = Number(process.env['MUTANT'] ?? -1);
const notes = process.env['MUTANT_NOTES'];
const { __vitest_worker__: worker } = globalThis as { __vitest_worker__?: { filepath?: string } };
if (worker?.filepath) process.env['MUTANT_TEST'] = worker.filepath;
const noted: boolean[] = [];

export function mutant(index: number): boolean {
  if (notes && !noted[index]) {
    noted[index] = true;
    appendFileSync(notes, `${index} ${process.env['MUTANT_TEST'] ?? ''}\n`);
  }
  return index === on;
}
