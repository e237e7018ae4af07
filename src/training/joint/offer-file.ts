import type { Offer, RoundWeights, SumsOffer } from '../../domain/joint-training.ts';
import type { RoundFile } from './round-file.ts';

/**
 * Head of the leading worker's file; its vector has the weights, all in single precision or their change in half, or the trees or sums of a
 * forest in double.
 */
export interface OfferHead extends Omit<Offer, 'weights'> {
  kind: (RoundWeights | SumsOffer)['kind'];
  /** The round for which its workers were chosen: sums have those of the trees before them. */
  chosen: number;
}

export function vectorOf(weights: RoundWeights | SumsOffer): Float64Array | Float32Array | Uint16Array {
  switch (weights.kind) {
    case 'all':
      return weights.values;
    case 'change':
      return weights.halves;
    case 'trees':
      return weights.trees;
    case 'sums':
      return weights.sums;
  }
}

export function weightsOf({ head: { kind }, vectors: [vector] }: RoundFile<OfferHead>): RoundWeights | SumsOffer {
  if (vector instanceof Float64Array)
    return kind === 'trees' ? { kind, trees: vector } : { kind: 'sums', sums: vector };
  if (vector instanceof Float32Array) return { kind: 'all', values: vector };
  return { kind: 'change', halves: vector ?? new Uint16Array(0) };
}
