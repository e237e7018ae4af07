/** N / (K n) of each of N rows, for a class of n of them and K classes that occur: the weights of scikit-learn's class_weight="balanced". */
export function balancedWeights(labels: Int32Array, classes: number): Float32Array {
  const counts = new Uint32Array(classes);
  for (const label of labels) counts[label]!++;
  const present = counts.filter((count) => count > 0).length;
  return Float32Array.from(labels, (label) => labels.length / (present * (counts[label] as number)));
}
