import { bestScore, type TrialHistory } from './advisor.ts';

/** The results of a study so far. */
export interface Evidence {
  /** Ended trials ordered by number, each with its best score; a failed trial counts as the worst score. */
  scored: readonly { trial: TrialHistory; score: number }[];
  /** Trials without a result yet. */
  pending: readonly TrialHistory[];
}

export function evidenceOf(history: readonly TrialHistory[]): Evidence {
  const ended = history.filter((trial) => trial.ended).map((trial) => ({ trial, score: bestScore(trial) }));
  const finite = ended.map(({ score }) => score).filter(Number.isFinite);
  const worst = finite.reduce((min, score) => Math.min(min, score), finite[0] ?? 0);
  return {
    scored: ended.map(({ trial, score }) => ({ trial, score: Number.isFinite(score) ? score : worst })),
    pending: history.filter((trial) => !trial.ended),
  };
}
