/**
 * The places of the texts that are not null, long texts first. Rows alike in length share a batch, which is padded to its
 * longest; and the last batches are short ones, so that no device waits long for another.
 */
export function longestFirst(texts: readonly (string | null)[]): Int32Array {
  const lengths = Int32Array.from(texts, (text) => text?.length ?? -1);
  return Int32Array.from(lengths.keys())
    .filter((place) => (lengths[place] as number) >= 0)
    .sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
}
