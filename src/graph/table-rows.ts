import * as emit from './emit.ts';
import { elementTypes, type Graph, type Value } from './graph.ts';
import type { ParameterSpec } from './network.ts';

/**
 * A large table in training: weight and optimiser slots concatenated, [V, S·D] for S tensors of [V, D], so that a row's
 * state is contiguous in memory. A run gathers the rows that its steps use, its window, from the host's memory, which the
 * runtime reads without copying; each step gathers those of its batch from the window. The cost of a step then depends on
 * the rows it uses, not on the size of the table. Entry 0 of both is row 0, for padding, which is never updated.
 */
export interface TableLayout {
  /** V. */
  rows: number;
  /** D. */
  width: number;
  /** S. */
  tensors: number;
}

export function tableLayout({ shape }: ParameterSpec, tensors: number): TableLayout {
  const [rows = 0, ...rest] = shape;
  return { rows, width: rest.reduce((a, b) => a * b, 1), tensors };
}

export interface RowsInUse {
  /** The weight and its slots for the rows of the step: [n, D] each. */
  active: Value[];
  /** The window with the step's updated weight and slots. */
  writeBack(updated: readonly Value[]): Value;
}

/** `window` [R, S·D] are the run's rows, `rows` [n] those of them that the step uses, each once, entry 0 first. */
export function rowsInUse(
  body: Graph,
  window: Value,
  { rows, layout }: { rows: Value; layout: TableLayout },
): RowsInUse {
  const { width, tensors } = layout;
  const own = emit.gather(body, window, rows);
  const trainedRows = emit.slice(body, rows, 0, 1);
  const index = emit.cast(
    body,
    emit.reshape(body, trainedRows, [emit.dimOf(trainedRows, 0), 1]),
    'int64',
    elementTypes.int64,
  );
  return {
    active: Array.from({ length: tensors }, (_, i) => emit.slice(body, own, 1, i * width, (i + 1) * width)),
    writeBack: (updated) => {
      const joined = updated.length === 1 ? (updated[0] as Value) : emit.concat(body, updated, 1);
      return body.node('ScatterND', [window, index, emit.slice(body, joined, 0, 1)], window.shape);
    },
  };
}
