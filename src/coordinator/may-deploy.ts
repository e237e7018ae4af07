import type { Study } from '../db/statements/studies.ts';

/** A new version, with its score on the validation rows of its study. */
export interface ScoredVersion {
  version: number;
  score: number;
  /** Number of rows that the score was measured on; null if members cannot decide together, as detectors. */
  scoredRows: number | null;
  /** Score of a constant prediction. */
  baselineScore: number;
  /** Columns that it reads, and the deployed version does not. */
  furtherColumns: readonly string[];
  /** Of the validation rows of the score. */
  validationHash: Buffer;
  /** The id of the deployed or loading version of the model; null if there is none. */
  deployedId: number | null;
}

/** The study's deployment settings and the version to compare with. */
export type DeploymentGoal = Pick<
  Study,
  'id' | 'deploy' | 'replace' | 'incumbentId' | 'incumbentScore' | 'incumbentHash' | 'incumbentTrained'
>;

/** A notice for a version that is no better than a constant prediction; otherwise null. */
export const baselineNotice = ({
  score,
  baselineScore,
}: Pick<ScoredVersion, 'score' | 'baselineScore'>): string | null =>
  score > baselineScore
    ? null
    : `Its score ${score.toFixed(4)} is no better than that of a constant prediction, ${baselineScore.toFixed(4)}.`;

/**
 * Null if the version may replace the deployed one. The study's validation rows must not show that the model gets
 * worse.
 */
export function reasonNotToDeploy(
  study: DeploymentGoal,
  { version, score, baselineScore, deployedId, scoredRows, validationHash, furtherColumns }: ScoredVersion,
): string | null {
  const anyway = `rafiki_deploy(${study.id}) deploys it.`;
  const not = `Version ${version} was not deployed`;
  const { incumbentId, incumbentScore, incumbentHash, incumbentTrained } = study;
  if (!study.deploy) return `${not}, as requested; ${anyway}`;
  if (deployedId === null || (incumbentId === null && study.replace)) return null;
  if (deployedId !== incumbentId) return `${not}: another version was deployed during the study; ${anyway}`;
  if (furtherColumns.length > 0 && !study.replace)
    return `${not}: it reads columns that the deployed one does not (${furtherColumns.slice(0, 5).join(', ')}), and callers may not give them; ${anyway}`;
  if (incumbentScore === null || !incumbentHash?.equals(validationHash))
    return study.replace ? null : `${not}: the deployed version could not be scored on the same rows; ${anyway}`;
  const scores = `${score.toFixed(4)} against ${incumbentScore.toFixed(4)}`;
  const rows = scoredRows === null ? 'these rows' : `these ${scoredRows} rows`;
  const knew = incumbentTrained ? `, which was trained on ${incumbentTrained} of ${rows}` : '';
  if (score < incumbentScore)
    return `${not}: on the same rows it is worse (${scores}) than the deployed one${knew}; ${anyway}`;
  if (score === incumbentScore && score <= baselineScore)
    return `${not}: it is no better than the deployed one; ${anyway}`;
  return null;
}
