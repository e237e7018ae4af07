import { bestScore, type TrialHistory } from './advisor.ts';

/** What a study has learnt so far. */
export interface Evidence {
  /** Ended trials in order of number, each with its best score; one that failed counts as the worst that was seen. */
  scored: readonly { trial: TrialHistory; score: number }[];
  /** Trials whose result is not known yet. */
  pending: readonly TrialHistory[];
}

export function evidenceOf(history: readonly TrialHistory[]): Evidence {
  const ended = history.filter((trial) => trial.ended).map((trial) => ({ trial, score: bestScore(trial) }));
  const known = ended.map(({ score }) => score).filter(Number.isFinite);
  const worst = known.reduce((min, score) => Math.min(min, score), known[0] ?? 0);
  return {
    scored: ended.map(({ trial, score }) => ({ trial, score: Number.isFinite(score) ? score : worst })),
    pending: history.filter((trial) => !trial.ended),
  };
}
