import * as emit from './emit.ts';
import { elementTypes, type Graph, type Value } from './graph.ts';
import type { ParameterSpec } from './network.ts';

/**
 * A large table in training: weight and optimiser slots side by side, [V, S·D] for S tensors of [V, D], so that a row's
 * whole state is one stretch of memory. A run takes the rows that its steps touch out of the host's memory, where the
 * runtime reads without copying; each step takes those of its batch out of the run's. What a step costs then depends on
 * the rows it touches, not on the table. Entry 0 of either is row 0, the padding, which never moves.
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
  /** The weight and its slots as the step sees them: [n, D] each. */
  active: Value[];
  /** The run's rows with the step's put back, from the moved weight and slots. */
  writeBack(moved: readonly Value[]): Value;
}

/** `held` [R, S·D] are the run's rows, `rows` [n] those of them that the step touches, each once, entry 0 first. */
export function rowsInUse(body: Graph, held: Value, { rows, layout }: { rows: Value; layout: TableLayout }): RowsInUse {
  const { width, tensors } = layout;
  const own = emit.gather(body, held, rows);
  const moving = emit.slice(body, rows, 0, 1);
  const index = emit.cast(body, emit.reshape(body, moving, [emit.dimOf(moving, 0), 1]), 'int64', elementTypes.int64);
  return {
    active: Array.from({ length: tensors }, (_, i) => emit.slice(body, own, 1, i * width, (i + 1) * width)),
    writeBack: (moved) => {
      const whole = moved.length === 1 ? (moved[0] as Value) : emit.concat(body, moved, 1);
      return body.node('ScatterND', [held, index, emit.slice(body, whole, 0, 1)], held.shape);
    },
  };
}
