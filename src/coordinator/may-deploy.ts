import type { Study } from '../db/statements/studies.ts';

/** A version that was just made, on the validation rows of its study. */
export interface JudgedVersion {
  version: number;
  score: number;
  /** Of how many rows the score is; null where it is of something else. */
  judgedRows: number | null;
  /** What an answer without looking would score. */
  blind: number;
  /** The id of the version that answers for the model now, or is about to; null where none does. */
  answering: number | null;
}

/** What a study deploys, and what it is compared with. */
export type Aim = Pick<Study, 'id' | 'deploy' | 'replace' | 'incumbentId' | 'incumbentScore' | 'incumbentTrained'>;

/** What its owner should know of a version that has learnt nothing; null of others. */
export const knowsNothing = ({ score, blind }: Pick<JudgedVersion, 'score' | 'blind'>): string | null =>
  score > blind
    ? null
    : `It scores no better than an answer without looking (${score.toFixed(4)}, ${blind.toFixed(4)}).`;

/** Of what answers nothing is made worse, as far as the study's validation rows tell; null where the version may take its place. */
export function reasonNotToDeploy(
  study: Aim,
  { version, score, blind, answering, judgedRows }: JudgedVersion,
): string | null {
  const anyway = `rafiki_deploy(${study.id}) deploys it.`;
  const not = `Version ${version} was not deployed`;
  const { incumbentId, incumbentScore, incumbentTrained } = study;
  if (!study.deploy) return `${not}, as asked; ${anyway}`;
  if (answering === null || (incumbentId === null && study.replace)) return null;
  if (answering !== incumbentId) return `${not}: another version was while the study ran; ${anyway}`;
  if (incumbentScore === null) return `${not}: the deployed one could not be scored on the same rows; ${anyway}`;
  const scores = `${score.toFixed(4)} against ${incumbentScore.toFixed(4)}`;
  const rows = judgedRows === null ? 'these rows' : `these ${judgedRows} rows`;
  const knew = incumbentTrained ? `, which was trained on ${incumbentTrained} of ${rows}` : '';
  if (score < incumbentScore)
    return `${not}: on the same rows it is worse (${scores}) than the deployed one${knew}; ${anyway}`;
  if (score === incumbentScore && score <= blind) return `${not}: it is no better than the deployed one; ${anyway}`;
  return null;
}
