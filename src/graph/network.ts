import type { ElementType, Shape, Value } from './graph.ts';
import type { Tape } from './tape.ts';

type Init =
  | { kind: 'zeros' }
  | { kind: 'ones' }
  | { kind: 'normal'; deviation: number }
  | { kind: 'uniform'; bound: number }
  /** Values that were trained before; `from` identifies them: weights of other trials with the same can replace them. */
  | { kind: 'given'; values: Float32Array; from: string };

export interface ParameterSpec {
  shape: readonly number[];
  init: Init;
  /**
   * Name of the input whose integers are row numbers of this table. A step then reads and updates only the rows in its batch;
   * row 0 is for padding: zeros that are never updated. The input must index nothing else.
   */
  rowsOf?: string;
  /** State without gradient, as a buffer of PyTorch: the op that uses it sets its next value, as batch norm does for its averages. */
  buffer?: boolean;
  /** Factor of the learning rate; 1 if not given. */
  rate?: number;
}

export interface InputSpec {
  /** Dimensions after the batch; a name if the size varies between batches. */
  shape: Shape;
  dtype: Exclude<ElementType, 'int8'>;
}

/** The values that a network reads in a training step. */
interface StepValues {
  inputs: Values;
  targets: Values;
  parameters: Values;
  /** Ratio of dropout, a scalar. */
  dropout: Value;
}

/** A network described once: the graphs for training, evaluation and export are all built from it. */
export interface Network {
  parameters: Readonly<Record<string, ParameterSpec>>;
  inputs: Readonly<Record<string, InputSpec>>;
  /** The training targets of a step; shapes as those of inputs. */
  targets: Readonly<Record<string, InputSpec>>;
  /** The scalar that training minimises, of a batch. */
  loss(t: Tape, values: StepValues): Value;
  /** Whether it has operators of a foreign graph, which only ONNX Runtime runs. */
  isForeign?: boolean;
  /** The exported model's only output: [N, …], float32. */
  answer(t: Tape, inputs: Values, parameters: Values): Answer;
}

export interface Answer {
  name: string;
  value: Value;
}

/** Values by name; `of` throws a RangeError for an unknown name. */
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
