import { KeptResults, Results } from '../results.ts';
import { mean } from './statistics.ts';

/** Measures one seed; the second value is the one to compare with. */
type MeasureSeed = (seed: number) => Promise<[number, number]>;

/** Results by figure and seed, stored in docs/experiments: an interrupted bench continues where it was. */
export class SeededResults {
  readonly #seeds: number;
  readonly #results: Results;

  constructor({ isKept, seeds }: { isKept: boolean; seeds: number }) {
    this.#seeds = seeds;
    const columns = ['figure', 'seed', 'value', 'compared'];
    this.#results = isKept ? new KeptResults('serving/deployed.csv', columns) : new Results();
  }

  /** The means over all seeds, and the largest value. */
  async of(name: string, measure: MeasureSeed): Promise<{ value: number; compared: number; largest: number }> {
    for (let seed = 1; seed <= this.#seeds; seed++) {
      if (this.#results.has(name, seed)) continue;
      const values = await measure(seed);
      this.#results.add([name, seed, ...values.map((value) => Number(value.toPrecision(6)))]);
    }
    const rows = this.#results.rows.filter(([figureName]) => figureName === name).slice(0, this.#seeds);
    const values = rows.map((row) => Number(row[2]));
    return {
      value: mean(values),
      compared: mean(rows.map((row) => Number(row[3]))),
      largest: Math.max(...values),
    };
  }
}
