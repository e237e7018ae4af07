import { fromHalf, toHalf } from './half.ts';

/**
 * Sends a sequence of vectors in half precision: what rounding took from one is added to the next, so that the sum of
 * all that is received does not drift from the sum of all that was sent (Seide et al. 2014, "1-Bit Stochastic Gradient
 * Descent"; Karimireddy et al. 2019).
 */
export class ErrorFeedback {
  #rest: Float32Array | undefined;

  /** Returns the vector to send; its difference to `values` is added to the next ones. */
  encode(values: Float32Array): Uint16Array {
    const before = this.#rest;
    const wanted = before === undefined ? values : values.map((value, i) => value + (before[i] ?? 0));
    const sent = toHalf(wanted);
    const received = fromHalf(sent);
    this.#rest = wanted.map((value, i) => value - (received[i] ?? 0));
    return sent;
  }

  /** Forgets the rest: the receiver has got the exact vector in another way. */
  reset(): void {
    this.#rest = undefined;
  }
}
