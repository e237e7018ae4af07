/** Share of `predicted[i] === actual[i]`, in [0, 1]; 0 for no rows. */
export function accuracy(predicted: ArrayLike<number>, actual: ArrayLike<number>): number {
  let hits = 0;
  for (let i = 0; i < actual.length; i++) if (predicted[i] === actual[i]) hits++;
  return actual.length === 0 ? 0 : hits / actual.length;
}

/** Unweighted mean over classes of F1 = 2·TP / (2·TP + FP + FN); a class that never occurs nor is predicted is left out. */
export function macroF1(predicted: ArrayLike<number>, actual: ArrayLike<number>, classes: number): number {
  const tp = new Float64Array(classes);
  const missed = new Float64Array(classes);
  for (let i = 0; i < actual.length; i++) {
    const p = predicted[i] as number;
    const a = actual[i] as number;
    if (p === a) tp[a]!++;
    else {
      missed[p]!++;
      missed[a]!++;
    }
  }
  let sum = 0;
  let seen = 0;
  for (let c = 0; c < classes; c++) {
    const denominator = 2 * tp[c]! + missed[c]!;
    if (denominator === 0) continue;
    sum += (2 * tp[c]!) / denominator;
    seen++;
  }
  return seen === 0 ? 0 : sum / seen;
}

/** Index of the largest of `n` values from `offset`; the first of equals. */
export function argmax(values: ArrayLike<number>, offset: number, n: number): number {
  let best = 0;
  for (let i = 1; i < n; i++) if ((values[offset + i] as number) > (values[offset + best] as number)) best = i;
  return best;
}
