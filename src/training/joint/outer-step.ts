/** How the mean of the workers' weights is applied to the weights that their round began with. */
export interface OuterOptions {
  /** 1 takes the mean as it is. */
  rate: number;
  /** Nesterov momentum of the steps from round to round; 0 for none. */
  momentum: number;
}

/** Weights after a worker's steps, flat, and the number of rows it trained on. */
export interface WorkerWeights {
  weights: Float32Array;
  rows: number;
}

/**
 * The outer optimiser of local SGD: w ← w + rate · (d + momentum · v), v ← momentum · v + d, where d is the mean change
 * of the workers' weights (Douillard et al. 2023, "DiLoCo", algorithm 1; arXiv 2311.08105). With rate 1 and no momentum
 * it is their mean (McMahan et al. 2017; Stich 2019).
 */
export class OuterStep {
  readonly #options: OuterOptions;
  /** v, flat; empty before the first step. */
  #velocity = new Float32Array(0);

  constructor(options: OuterOptions) {
    this.#options = options;
  }

  /**
   * The weights of the next round. `before` are those that the round began with. Workers count by their rows. `buffers`
   * is 1 for numbers that are no weights, such as the running statistics of batch norm: they take the mean as it is.
   */
  next(before: Float32Array, workers: readonly WorkerWeights[], buffers: Uint8Array): Float32Array {
    const mean = meanOf(workers);
    const { rate, momentum } = this.#options;
    if (rate === 1 && momentum === 0) return mean;
    if (this.#velocity.length !== before.length) this.#velocity = new Float32Array(before.length);
    const velocity = this.#velocity;
    return mean.map((value, i) => {
      if (buffers[i] === 1) return value;
      const start = before[i] ?? 0;
      const change = value - start;
      velocity[i] = momentum * (velocity[i] ?? 0) + change;
      return start + rate * (change + momentum * (velocity[i] ?? 0));
    });
  }
}

function meanOf(workers: readonly WorkerWeights[]): Float32Array {
  const [first] = workers;
  if (workers.length === 1 && first !== undefined) return first.weights;
  const total = workers.reduce((sum, { rows }) => sum + rows, 0);
  const sum = new Float64Array(first?.weights.length ?? 0);
  for (const { weights, rows } of workers) {
    const share = rows / total;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + share * (weights[i] as number);
  }
  return new Float32Array(sum);
}
