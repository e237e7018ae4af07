import type { Rng } from '../runtime/rng.ts';

/** Rows 0 to `count` − 1 once in each pass, shuffled anew. */
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
 * As many rows as there are in so many passes, each class as often as any other: of K classes a row of one that has n of the N rows is
 * seen N / (K n) times a pass in the mean, which is its weight by scikit-learn's class_weight="balanced". The rows of a class take turns.
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
