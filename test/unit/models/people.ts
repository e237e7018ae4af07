import type { DataSet, Examples } from '../../../src/domain/task.ts';
import type { TrainingSpec } from '../../../src/domain/training.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { tableRows } from '../features/table-rows.ts';

const columns = [
  { name: 'age', kind: 'number' },
  { name: 'job', kind: 'text' },
  { name: 'since', kind: 'time' },
  { name: 'member', kind: 'boolean' },
];

/** People, a tenth of their values NULL. Who buys follows from age and job; how much, from age, job and time. */
export function people(count: number, seed = 5) {
  const rng = createRng(seed);
  const jobs = { cook: 2, clerk: -2, poet: 0, smith: 1 };
  const unless = <T>(value: T): T | null => (rng.below(10) === 0 ? null : value);
  return Array.from({ length: count }, () => {
    const [age, year] = [18 + rng.below(60), 1990 + rng.below(30)];
    const job = (Object.keys(jobs) as (keyof typeof jobs)[])[rng.below(4)] ?? 'cook';
    return {
      buys: (age - 48) / 10 + jobs[job] > 0,
      spends: 1e6 + 10 * age + 100 * jobs[job] + (year - 1990),
      json: JSON.stringify({
        age: unless(age),
        job: unless(job),
        since: unless(`${year}-05-17`),
        member: unless(rng.below(2) === 1),
      }),
    };
  });
}

/** The first three quarters to train on, the others to validate on. */
export function dataOf(
  task: TrainingSpec['task'],
  given: readonly { buys: boolean; spends: number; json: string }[],
): DataSet {
  const inputs = tableRows(
    columns,
    given.map(({ json }) => json),
  );
  const part = (from: number, to: number): Examples => {
    const rows = given.slice(from, to);
    const labels =
      task === 'tabular_regression'
        ? Float64Array.from(rows, ({ spends }) => spends)
        : Int32Array.from(rows, ({ buys }) => Number(buys));
    return { inputs: inputs.slice(from, to), labels };
  };
  const border = Math.floor(given.length * 0.75);
  return {
    classes: task === 'tabular_regression' ? [] : ['no', 'yes'],
    train: part(0, border),
    valid: part(border, given.length),
  };
}

export const specOf = (
  task: TrainingSpec['task'],
  family: string,
  data: DataSet,
  knobs: TrainingSpec['knobs'] = {},
): TrainingSpec => ({
  ...{ task, family, knobs, seed: 11, threads: 1, data },
});
