import type { Examples, RawInput } from '../../src/domain/task.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { type DataName, dataSets, readDataSet } from '../zoo/data.ts';
import type { SeededRows } from './trials.ts';

/** Of the training part: each seed has others. */
const SHARE = 0.9;
/** Images of the valid part. */
const TEST_IMAGES = 1000;

/** Nine tenths of the training part, drawn by the seed, and the valid part as a test; with `most`, of both as many rows. */
export function textRows(name: DataName, seed: number, most = Number.POSITIVE_INFINITY): SeededRows {
  const { classes, train, valid } = readDataSet(name);
  const order = drawn(train, seed);
  const count = Math.min(most, Math.floor(SHARE * order.length));
  const test = chosen(valid, drawn(valid, 0).slice(0, most));
  return { task: dataSets[name].task, classes, rows: chosen(train, order.slice(0, count)), test, seed };
}

/** As many images of each class, drawn by the seed, and a thousand of the valid part as a test. */
export function imageRows(perClass: number, seed: number, tests = TEST_IMAGES): SeededRows {
  const { classes, train, valid } = readDataSet('cifar10');
  const counts = new Map<unknown, number>();
  const few = drawn(train, seed).filter((row) => {
    const count = (counts.get(train.labels[row]) ?? 0) + 1;
    counts.set(train.labels[row], count);
    return count <= perClass;
  });
  const test = chosen(valid, drawn(valid, 0).slice(0, tests));
  return { task: dataSets.cifar10.task, classes, rows: chosen(train, few), test, seed };
}

const drawn = ({ inputs }: Examples, seed: number): number[] =>
  Array.from(createRng(seed).shuffle(Int32Array.from(inputs, (_, row) => row)));

const chosen = ({ inputs, labels }: Examples, rows: readonly number[]): Examples => ({
  inputs: rows.map((row) => inputs[row] as RawInput),
  labels: Int32Array.from(rows, (row) => Number(labels[row])),
});
