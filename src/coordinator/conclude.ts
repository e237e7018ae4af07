import type { Queryable } from '../db/database.ts';
import {
  holdModel,
  insertDeployment,
  insertMember,
  insertVersion,
  selectLoading,
  selectStudyDeployment,
} from '../db/statements/models.ts';
import { type Mover, moveDeployment, moveStudy } from '../db/statements/moves.ts';
import { isServingAlive } from '../db/statements/processes.ts';
import { addNotice, dropStudyParams, type Study, selectValidation, setOutcome } from '../db/statements/studies.ts';
import { selectVariantVotes, selectVotes, type Trial, type TrialVotes } from '../db/statements/trials.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { InvalidState, NameTaken } from '../errors/errors.ts';
import { bestEnsemble, bestOfFamilies, subsetAccuracies } from './ensemble.ts';
import { isScored } from './plan.ts';

/** How long a study waits for its model to be loaded before it is completed anyway. */
const DEPLOY_WAIT_MS = 60_000;

/** Writes a study's model: version, members, and a deployment where the model is to answer. Runs in a transaction. */
export async function conclude(mover: Mover, study: Study, trials: readonly Trial[]): Promise<void> {
  const { on } = mover;
  const chosen = await chooseMembers(on, study, trials);
  const model = await holdModel(on, { name: study.model, owner: study.owner, task: study.task });
  if (!model.own || model.task !== study.task) throw nameTaken(study);
  const { members, score, accuracies, classes } = chosen;
  const { id, version } = await insertVersion(on, { modelId: model.id, studyId: study.id, score, accuracies, classes });
  for (const [rank, member] of members.entries()) {
    const { id: trialId, family, precision, score: memberScore, paramsId } = member;
    await insertMember(on, id, { rank, trialId, family, precision, score: memberScore, paramsId });
  }
  const notice = reasonNotToDeploy(study, { version, score });
  await setOutcome(on, study.id, { version, notice });
  await dropStudyParams(on, study.id);
  if (notice === null) await deploy(mover, model.id, id);
  else await moveStudy(mover, { id: study.id, from: 'running', event: 'complete' });
}

/** Completes the study once its model answers, or once waiting for that makes no sense. */
export async function awaitDeployment(mover: Mover, study: Study): Promise<void> {
  const deployment = await selectStudyDeployment(mover.on, study.id);
  if (deployment?.state === 'loading') {
    const alive = await isServingAlive(mover.on);
    if (alive && deployment.ageMs < DEPLOY_WAIT_MS) return;
    const loading = deployment.error?.message ?? 'it is still being loaded';
    const why = alive ? loading : 'no serving process runs: start one with "rafiki serve"';
    await addNotice(mover.on, study.id, `Version ${study.version} does not answer yet: ${why}.`);
  }
  if (deployment?.state === 'failed') {
    await addNotice(
      mover.on,
      study.id,
      `Version ${study.version} could not be loaded: ${deployment.error?.message ?? 'unknown error'}.`,
    );
  }
  await moveStudy(mover, { id: study.id, from: 'running', event: 'complete' });
}

interface Chosen {
  members: TrialVotes[];
  score: number;
  accuracies: number[] | null;
  classes: string[];
}

async function chooseMembers(on: Queryable, study: Study, trials: readonly Trial[]): Promise<Chosen> {
  const candidates = bestOfFamilies(trials.filter(isScored));
  const [best] = candidates;
  if (best === undefined) throw new InvalidState(`study ${study.id} has no scored trial to make a model of`);
  const validation = await selectValidation(on, study.id, best.validationHash);
  const ranked = await selectVotes(
    on,
    candidates.map((trial) => trial.id),
  );
  const { classes } = validation;
  if (!kindOf(study.task).votes) return { members: ranked.slice(0, 1), score: best.score, accuracies: null, classes };
  const votesOf = (trials: readonly TrialVotes[]): Uint16Array[] => trials.map((trial) => uint16s(trial.predictions));
  const labels = uint16s(validation.labels);
  const { members: count, score } = bestEnsemble(votesOf(ranked), labels);
  const exact = ranked.slice(0, count);
  const variants = await selectVariantVotes(
    on,
    exact.map((trial) => trial.id),
  );
  const members = [...exact, ...variants];
  return { members, score, accuracies: subsetAccuracies(votesOf(members), labels), classes };
}

function reasonNotToDeploy(study: Study, { version, score }: { version: number; score: number }): string | null {
  const anyway = `rafiki_deploy(${study.id}) deploys it.`;
  if (!study.deploy) return `Version ${version} was not deployed, as asked; ${anyway}`;
  if (study.incumbentScore === null || score >= study.incumbentScore) return null;
  const scores = `${score.toFixed(4)} against ${study.incumbentScore.toFixed(4)}`;
  return `Version ${version} was not deployed: it is worse than the deployed one on the same rows (${scores}); ${anyway}`;
}

/** A version that was still being loaded makes way: the newest one is wanted. */
async function deploy(mover: Mover, modelId: number, versionId: number): Promise<void> {
  for (const { id } of await selectLoading(mover.on, modelId)) {
    await moveDeployment(mover, { id, from: 'loading', event: 'retire' });
  }
  await insertDeployment(mover.on, modelId, versionId);
}

/** Little endian on every machine that Node runs on; the copy is aligned. */
const uint16s = (bytes: Buffer): Uint16Array => new Uint16Array(new Uint8Array(bytes).buffer);

const nameTaken = ({ model }: Study): NameTaken =>
  new NameTaken(`the model name "${model}" was taken while the study ran`, {
    hint: "Train again under another name: model => '…'.",
  });
