/** So many texts are put in order in one go, some 10 ms; of more, piece by piece. */
export const PIECE_ROWS = 65_536;
/** No text is longer: a string has at most 2^29 characters. */
const MAX_CHARS = 2 ** 30;

/**
 * The places of the texts that are not null, long texts first, of at most {@link PIECE_ROWS}. Rows alike in length share a
 * batch, which is padded to its longest; and the last batches are short ones, so that no device waits long for another.
 * Length and place are one number: sorting takes a fifth of what it takes with a function that compares.
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
