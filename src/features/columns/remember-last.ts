/**
 * The function with its last result remembered: what is computed of a data set's distinct texts is computed once, batch after batch. A served
 * model has other texts with each batch, for which a WeakMap would take longer than the work itself.
 */
export function rememberLast<K extends object, T>(compute: (key: K) => T): (key: K) => T {
  let last: { key: K; value: T } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: compute(key) };
    return last.value;
  };
}
