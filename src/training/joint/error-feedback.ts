import { takeHalf } from './half.ts';

/**
 * Sends a sequence of vectors in half precision: what rounding took from one is added to the next, so that the sum of
 * all that is received does not drift from the sum of all that was sent (Seide et al. 2014, "1-Bit Stochastic Gradient
 * Descent"; Karimireddy et al. 2019).
 */
export class ErrorFeedback {
  #rest: Float32Array | undefined;

  /** Returns the vector to send, whose difference to `values` is added to the next one. */
  encode(values: Float32Array): Uint16Array {
    const rest = this.#restOf(values.length);
    for (let i = 0; i < rest.length; i++) rest[i] = (rest[i] as number) + (values[i] as number);
    return takeHalf(rest);
  }

  /** Likewise for what takes `before` to `after`. */
  encodeChange(before: Float32Array, after: Float32Array): Uint16Array {
    const rest = this.#restOf(after.length);
    for (let i = 0; i < rest.length; i++)
      rest[i] = (rest[i] as number) + ((after[i] as number) - (before[i] as number));
    return takeHalf(rest);
  }

  #restOf(length: number): Float32Array {
    this.#rest ??= new Float32Array(length);
    return this.#rest;
  }

  /** Forgets the rest: the receiver has got the exact vector in another way. */
  reset(): void {
    this.#rest = undefined;
  }
}
