import type { Rng } from '../runtime/rng.ts';

/** Rows 0 to `count` − 1 once per pass, shuffled for each pass. */
export function shuffledOrder(count: number, passes: number, rng: Rng): Int32Array {
  const order = new Int32Array(count * passes);
  for (let pass = 0; pass < passes; pass++) {
    const own = order.subarray(pass * count, (pass + 1) * count);
    own.forEach((_, i) => {
      own[i] = i;
    });
    rng.shuffle(own);
  }
  return order;
}

/**
 * As many rows as in `passes` passes, with equal shares of all classes: of K classes, a row of a class with n of the N
 * rows occurs N / (K n) times per pass on average, its weight in scikit-learn's class_weight="balanced". The rows of a
 * class are used in rotation.
 */
export function balancedOrder(labels: Uint16Array, passes: number, rng: Rng): Int32Array {
  const rowsOf = new Map<number, number[]>();
  labels.forEach((label, row) => {
    const rows = rowsOf.get(label);
    if (rows === undefined) rowsOf.set(label, [row]);
    else rows.push(row);
  });
  const classes = [...rowsOf.keys()].sort((a, b) => a - b);
  const total = labels.length * passes;
  const order = new Int32Array(total);
  classes.forEach((label, place) => {
    const rows = Int32Array.from(rowsOf.get(label) ?? []);
    const end = Math.floor(((place + 1) * total) / classes.length);
    for (let at = Math.floor((place * total) / classes.length); at < end; at += rows.length)
      order.set(rng.shuffle(rows).subarray(0, end - at), at);
  });
  return rng.shuffle(order);
}
