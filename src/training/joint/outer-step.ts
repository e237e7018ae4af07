/** How the mean of the workers' weights is applied to the weights that their round began with. */
export interface OuterOptions {
  /** 1 takes the mean as it is. */
  rate: number;
  /** Nesterov momentum of the steps from round to round; 0 for none. */
  momentum: number;
}

/**
 * The outer optimiser of local SGD: the weights change by rate · (d + momentum · v), v ← momentum · v + d, where d is the mean
 * change of the workers' weights (Douillard et al. 2023, "DiLoCo", algorithm 1; arXiv 2311.08105). With rate 1 and no momentum
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
   * Makes the change of the weights of their mean change, in place. `buffers` is 1 for numbers that are no weights, such as the
   * running statistics of batch norm: they take the mean as it is.
   */
  apply(change: Float32Array, buffers: Uint8Array): void {
    const { rate, momentum } = this.#options;
    if (rate === 1 && momentum === 0) return;
    if (this.#velocity.length !== change.length) this.#velocity = new Float32Array(change.length);
    const velocity = this.#velocity;
    for (let i = 0; i < change.length; i++) {
      if (buffers[i] === 1) continue;
      const mean = change[i] as number;
      velocity[i] = momentum * (velocity[i] as number) + mean;
      change[i] = rate * (mean + momentum * (velocity[i] as number));
    }
  }
}
