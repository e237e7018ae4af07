/** Sorting this many takes about 10 ms; longer arrays are sorted in pieces. */
export const PIECE_ROWS = 65_536;
/** More than the length of any text: a string has at most 2^29 characters. */
const MAX_CHARS = 2 ** 30;

/**
 * Indices of the inputs that are not null, longest first, for at most {@link PIECE_ROWS} inputs. Rows of similar length
 * then share a batch, which is padded to its longest, and the last batches are short, so that devices finish at about
 * the same time. Length and index are packed into one number: sorting takes a fifth of the time of a sort with a
 * comparator.
 */
export function longestFirst(inputs: readonly (string | null)[]): Int32Array {
  const keys = new Float64Array(inputs.length);
  let rows = 0;
  for (let place = 0; place < inputs.length; place++) {
    const input = inputs[place];
    if (typeof input === 'string') keys[rows++] = (MAX_CHARS - input.length) * PIECE_ROWS + place;
  }
  return Int32Array.from(keys.subarray(0, rows).sort(), (key) => key % PIECE_ROWS);
}
