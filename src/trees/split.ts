import type { FeatureBins } from './feature-bins.ts';
import type { BoostingSettings } from './settings.ts';
import { type Division, setWords } from './tree.ts';

/** Sums of first and second derivatives, G and H, over some rows. */
export interface DerivativeSums {
  gradient: number;
  hessian: number;
}

export interface Split extends Division {
  /** By how much it lowers the objective's second-order approximation, times two (Chen and Guestrin 2016, equation 7 without ½). */
  gain: number;
  feature: number;
  left: DerivativeSums;
  right: DerivativeSums;
}

/** Where a histogram's bins are, and the value of an integer in it. */
export interface HistogramLayout {
  features: readonly FeatureBins[];
  offsets: Int32Array;
  gradientUnit: number;
  hessianUnit: number;
}

/**
 * Categories that a split may name: each is a node of the exported file. The others, and missing and unseen values, take
 * the other side.
 */
const MAX_NAMED_CATEGORIES = 64;

/** A gain below this share of the leaf's own score is that of rounding. */
const rounding = 1e-10;

type SplitSettings = Pick<BoostingSettings, 'l1' | 'l2' | 'minLeafWeight' | 'minGain' | 'categorySmoothing'>;

/**
 * Finds the best split of a leaf from its histogram, integers [entries, 2] of G and H. Of equal gains the first feature's
 * first one, so that the result does not depend on who searches.
 */
export class SplitFinder {
  readonly #layout: HistogramLayout;
  readonly #settings: SplitSettings;
  /** Bins of a categorical feature in their order, and the key by which they are ordered. */
  readonly #order = new Uint8Array(256);
  readonly #keys = new Float64Array(256);
  #best: Split | undefined;

  constructor(layout: HistogramLayout, settings: SplitSettings) {
    this.#layout = layout;
    this.#settings = settings;
  }

  /** Undefined if no split gains more than `minGain` with enough weight on both sides. */
  find(histogram: Float64Array, sums: DerivativeSums, features: Iterable<number>): Split | undefined {
    this.#best = undefined;
    for (const f of features) {
      const { categorical, count } = this.#layout.features[f] as FeatureBins;
      if (count < 2) continue;
      const first = (this.#layout.offsets[f] as number) * 2;
      const bins = histogram.subarray(first, first + count * 2);
      const used = categorical ? this.#orderCategories(bins, count) : this.#orderNumbers(count);
      const missing = (bins[1] as number) > 0;
      this.#scan(f, bins, sums, { used, missingLeft: false, all: missing });
      if (missing) this.#scan(f, bins, sums, { used, missingLeft: true, all: false });
    }
    return this.#best;
  }

  /** G² / (H + λ) with the absolute value of G reduced by α: twice what a leaf gains. */
  score({ gradient, hessian }: DerivativeSums): number {
    const reduced = shrink(gradient, this.#settings.l1);
    return (reduced * reduced) / (hessian + this.#settings.l2);
  }

  #orderNumbers(count: number): number {
    for (let i = 1; i < count; i++) this.#order[i - 1] = i;
    return count - 1;
  }

  /** Categories that the leaf has, by the leaf value that each would get (Fisher 1958), smoothed; equal ones by bin. */
  #orderCategories(bins: Float64Array, count: number): number {
    const { gradientUnit, hessianUnit } = this.#layout;
    const present: number[] = [];
    for (let b = 1; b < count; b++) {
      const weight = bins[2 * b + 1] as number;
      if (weight === 0) continue;
      const smoothed = weight * hessianUnit + this.#settings.categorySmoothing;
      this.#keys[b] = ((bins[2 * b] as number) * gradientUnit) / smoothed;
      present.push(b);
    }
    present.sort((a, b) => (this.#keys[a] as number) - (this.#keys[b] as number) || a - b);
    this.#order.set(present);
    return present.length;
  }

  /** Splits after each bin in the order; after the last one only if `all`: then missing values are alone. */
  #scan(
    feature: number,
    bins: Float64Array,
    sums: DerivativeSums,
    { used, missingLeft, all }: { used: number; missingLeft: boolean; all: boolean },
  ): void {
    const { gradientUnit, hessianUnit } = this.#layout;
    const { l1, l2, minLeafWeight, minGain } = this.#settings;
    const base = this.score(sums);
    const categorical = this.#layout.features[feature]?.categorical ?? false;
    // A leaf without missing values sends those of later rows to the side with more weight.
    const hasMissing = (bins[1] as number) > 0;
    const goesLeft = (given: boolean, leftH: number, rightH: number): boolean => (hasMissing ? given : leftH > rightH);
    let best = Math.max(minGain, this.#best?.gain ?? base * rounding);
    let end = -1;
    let [gradient, hessian] = missingLeft ? [bins[0] as number, bins[1] as number] : [0, 0];
    let [bestGradient, bestHessian] = [0, 0];
    const last = all ? used : used - 1;
    for (let i = 0; i < last; i++) {
      const b = 2 * (this.#order[i] as number);
      if (bins[b + 1] === 0) continue;
      gradient += bins[b] as number;
      hessian += bins[b + 1] as number;
      const leftH = hessian * hessianUnit;
      if (leftH < minLeafWeight) continue;
      const rightH = sums.hessian - leftH;
      if (rightH < minLeafWeight || rightH <= 0) break;
      if (categorical && (goesLeft(missingLeft, leftH, rightH) ? used - 1 - i : i + 1) > MAX_NAMED_CATEGORIES) continue;
      const leftG = gradient * gradientUnit;
      const a = l1 === 0 ? leftG : shrink(leftG, l1);
      const c = l1 === 0 ? sums.gradient - leftG : shrink(sums.gradient - leftG, l1);
      const gain = (a * a) / (leftH + l2) + (c * c) / (rightH + l2) - base;
      if (gain > best) {
        best = gain;
        end = i;
        bestGradient = leftG;
        bestHessian = leftH;
      }
    }
    if (end < 0) return;
    const left = { gradient: bestGradient, hessian: bestHessian };
    const right = { gradient: sums.gradient - bestGradient, hessian: sums.hessian - bestHessian };
    const isMissingLeft = goesLeft(missingLeft, left.hessian, right.hessian);
    this.#best = {
      gain: best,
      feature,
      bin: categorical ? 0 : (this.#order[end] as number),
      set: categorical ? this.#leftSet(feature, { end, used, isMissingLeft }) : undefined,
      missingLeft: isMissingLeft,
      left,
      right,
    };
  }

  /** Categories that the leaf does not have go where missing values go, so that they need not be named. */
  #leftSet(
    feature: number,
    { end, used, isMissingLeft }: { end: number; used: number; isMissingLeft: boolean },
  ): Uint32Array {
    if (!isMissingLeft) return setOf(this.#order.subarray(0, end + 1));
    const right = new Set(this.#order.subarray(end + 1, used));
    const { count } = this.#layout.features[feature] as FeatureBins;
    return setOf(Array.from({ length: count - 1 }, (_, i) => i + 1).filter((bin) => !right.has(bin)));
  }
}

/** The value of a leaf that minimises G w + (H + λ) w² / 2 + α |w|. */
export const leafValue = ({ gradient, hessian }: DerivativeSums, { l1, l2 }: { l1: number; l2: number }): number =>
  -shrink(gradient, l1) / (hessian + l2);

const shrink = (gradient: number, l1: number): number =>
  l1 === 0 ? gradient : Math.sign(gradient) * Math.max(0, Math.abs(gradient) - l1);

function setOf(bins: Iterable<number>): Uint32Array {
  const set = new Uint32Array(setWords);
  for (const bin of bins) set[bin >> 5] = ((set[bin >> 5] as number) | (1 << (bin & 31))) >>> 0;
  return set;
}
