import type { TensorData } from '../../domain/tensor.ts';
import { computing } from '../../engine/computing.ts';
import { answerAll } from '../../engine/evaluate.ts';
import { createSession, type GraphSession } from '../../engine/session.ts';
import type { EncodedRows } from '../../features/encoder.ts';
import { createRng } from '../../runtime/rng.ts';
import { fitMap, type MapSettings, mapRows, type Vectors } from './fit-map.ts';
import { type HeadAnswers, type HeadWeights, headFile, lossFile } from './head-graphs.ts';
import { type KernelMap, mappedWidth } from './kernel-map.ts';
import { type Descent, type DescentSlope, descend } from './lbfgs.ts';

export interface HeadTask extends HeadAnswers {
  vectors: Vectors;
  /** [rows, outputs]: 1 for the class of a row, or its standardised number. */
  targets: Float32Array;
  /** Of each row. */
  weights: Float32Array;
  settings: MapSettings;
  /** Of the penalty l2 / 2 · ‖w‖², against the sum of the rows' losses. */
  l2: number;
  seed: number;
  threads: number;
}

/** Trains the head of an encoder: a linear model of what its kernel makes of vectors. The loss is convex, so L-BFGS finds its minimum. */
export class HeadTrainer {
  readonly #task: HeadTask;
  readonly #map: KernelMap;
  readonly #phi: TensorData;
  readonly #session: GraphSession;
  #at: Descent;
  #here: DescentSlope | null = null;

  private constructor(task: HeadTask, map: KernelMap, parts: { phi: Float32Array; session: GraphSession }) {
    this.#task = task;
    this.#map = map;
    this.#phi = { dtype: 'float32', shape: [task.vectors.rows, mappedWidth(map)], data: parts.phi };
    this.#session = parts.session;
    this.#at = { point: new Float32Array((mappedWidth(map) + 1) * task.outputs), steps: [], changes: [] };
  }

  static async create(task: HeadTask): Promise<HeadTrainer> {
    const { vectors, settings, seed, threads, unit, outputs } = task;
    const map = await fitMap(vectors, settings, { rng: createRng(seed), threads });
    const phi = await mapRows(map, vectors, threads);
    const file = lossFile(unit !== undefined, mappedWidth(map), outputs);
    return new HeadTrainer(task, map, { phi, session: await createSession(file, threads, computing().device) });
  }

  /** One iteration; returns the mean loss of a row before it, penalty included. */
  async iterate(): Promise<number> {
    const here = this.#here ?? (await this.#slopeAt(this.#at.point));
    const next = await descend(this.#at, here, (point) => this.#slopeAt(point));
    [this.#at, this.#here] = [next.at, next.here];
    return here.value;
  }

  get descent(): Descent {
    return this.#at;
  }

  continueFrom(descent: Descent): void {
    this.#at = descent;
    this.#here = null;
  }

  get weights(): HeadWeights {
    return this.#split(this.#at.point);
  }

  export(weights: HeadWeights): Uint8Array {
    return headFile(this.#map, weights, this.#task);
  }

  /** As the exported file answers. */
  answers(weights: HeadWeights, rows: EncodedRows): Promise<TensorData> {
    return answerAll(this.export(weights), rows, this.#task.threads);
  }

  release(): Promise<void> {
    return this.#session.release();
  }

  #split(point: Float32Array): HeadWeights {
    const end = point.length - this.#task.outputs;
    return { w: point.slice(0, end), b: point.slice(end) };
  }

  /** Mean over the rows, so that the size of the gradient does not depend on their number. */
  async #slopeAt(point: Float32Array): Promise<DescentSlope> {
    const { outputs, targets, weights, l2, vectors } = this.#task;
    const { w, b } = this.#split(point);
    const tensor = (data: Float32Array, shape: number[]): TensorData => ({ dtype: 'float32', shape, data });
    const found = await this.#session.run({
      phi: this.#phi,
      w: tensor(w, [w.length / outputs, outputs]),
      b: tensor(b, [1, outputs]),
      y: tensor(targets, [vectors.rows, outputs]),
      r: tensor(weights, [vectors.rows, 1]),
    });
    const floats = (name: string): Float32Array => found[name]?.data as Float32Array;
    const gradient = new Float32Array(point.length);
    const [dw, db] = [floats('dw'), floats('db')];
    let square = 0;
    for (let i = 0; i < w.length; i++) {
      square += (w[i] as number) ** 2;
      gradient[i] = ((dw[i] as number) + l2 * (w[i] as number)) / vectors.rows;
    }
    for (let i = 0; i < b.length; i++) gradient[w.length + i] = (db[i] as number) / vectors.rows;
    return { value: ((floats('loss')[0] as number) + (l2 / 2) * square) / vectors.rows, gradient };
  }
}
