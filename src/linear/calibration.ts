/** Bounds of the slope, and how often the interval between them is cut: to a thousandth. */
const MIN_SLOPE = 1 / 64;
const MAX_SLOPE = 64;
const CUTS = 40;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * The number by which margins are multiplied before they are taken as logits, so that the probabilities of rows that were not trained on have the
 * smallest log loss (Platt 1999, without an offset; for more than two classes the temperature of Guo et al. 2017). `lossOf` is convex in the
 * slope, so its logarithm is searched by golden sections.
 */
export function calibratedSlope(lossOf: (slope: number) => number): number {
  let [low, high] = [Math.log(MIN_SLOPE), Math.log(MAX_SLOPE)];
  const at = (share: number): number => low + share * (high - low);
  let [left, right] = [at(1 - GOLDEN), at(GOLDEN)];
  let [leftLoss, rightLoss] = [lossOf(Math.exp(left)), lossOf(Math.exp(right))];
  for (let cut = 0; cut < CUTS; cut++) {
    if (leftLoss <= rightLoss) {
      high = right;
      [right, rightLoss] = [left, leftLoss];
      left = at(1 - GOLDEN);
      leftLoss = lossOf(Math.exp(left));
    } else {
      low = left;
      [left, leftLoss] = [right, rightLoss];
      right = at(GOLDEN);
      rightLoss = lossOf(Math.exp(right));
    }
  }
  return Math.exp(at(0.5));
}
