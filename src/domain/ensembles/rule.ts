/** How the members of an ensemble decide together: the best alone, the paper's majority vote, or the weighted mean of what they answer. */
const ensembleRules = ['best', 'vote', 'weighted'] as const;
export type EnsembleRule = (typeof ensembleRules)[number];

export const isEnsembleRule = (value: unknown): value is EnsembleRule => ensembleRules.some((rule) => rule === value);

/** Maximum members of an ensemble. */
export const MAX_MEMBERS = 3;
/** Maximum members of a version: those of an ensemble, and a quicker variant of each. A server weighs up the 2^n subsets of n. */
export const MAX_VERSION_MEMBERS = 2 * MAX_MEMBERS;

/** Trials of a family that a weighted ensemble is chosen from: those whose answers on validation rows are kept until then. */
export const CANDIDATES_OF_FAMILY = 3;

/** What a member counts in its ensemble. */
export interface MemberWeight {
  /** On its study's validation rows. */
  score: number;
  /** Share in a weighted ensemble; of some of the members, shares of their sum. */
  weight: number;
  /** By which the logarithms of its probabilities are divided before they are used; 1 leaves them as they are. */
  temperature: number;
}

/** Members as those of versions from before weights were stored. */
export const unweighted = (score: number): MemberWeight => ({ score, weight: 1, temperature: 1 });
