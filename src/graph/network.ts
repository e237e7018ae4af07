import type { ElementType, Shape, Value } from './graph.ts';
import type { Tape } from './tape.ts';

export type Init =
  | { kind: 'zeros' }
  | { kind: 'ones' }
  | { kind: 'normal'; deviation: number }
  | { kind: 'uniform'; bound: number };

export interface ParameterSpec {
  shape: readonly number[];
  init: Init;
  /**
   * Names the input whose integers pick rows of this table. A step then reads and moves only the rows its batch names;
   * row 0 belongs to padding, is zero and never moves. The input must index nothing else.
   */
  rowsOf?: string;
  /** State that no gradient moves: the ops that use it say what it is after a step, as batch norm does of its averages. */
  follows?: boolean;
}

export interface InputSpec {
  /** Dimensions after the batch; a name where they vary from batch to batch. */
  shape: Shape;
  dtype: Exclude<ElementType, 'int8'>;
}

/** What a network computes with in a training step. */
export interface StepValues {
  inputs: Values;
  targets: Values;
  parameters: Values;
  /** Ratio of dropout, a scalar. */
  dropout: Value;
}

/** A model described once: the training graph, the evaluation and the exported model all come from it. */
export interface Network {
  parameters: Readonly<Record<string, ParameterSpec>>;
  inputs: Readonly<Record<string, InputSpec>>;
  /** What a training step is told of the right answers; shapes as those of inputs. */
  targets: Readonly<Record<string, InputSpec>>;
  /** The scalar that training makes small, of a batch. */
  loss(t: Tape, values: StepValues): Value;
  /** The exported model's one output, named: [N, …], float32. */
  answer(t: Tape, inputs: Values, parameters: Values): Answer;
}

export interface Answer {
  name: string;
  value: Value;
}

/** Values by name; `of` throws for a name that is not there. */
export class Values {
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: Iterable<readonly [string, Value]>) {
    this.#values = new Map(values);
  }

  of(name: string): Value {
    const value = this.#values.get(name);
    if (value === undefined) throw new RangeError(`no value named "${name}"`);
    return value;
  }
}
