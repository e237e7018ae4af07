import type { Queryable } from '../db/database.ts';
import {
  holdModel,
  insertDeployment,
  insertMember,
  insertVersion,
  selectAnswering,
  selectDeployments,
  selectLoading,
  selectStudyDeployment,
  setTask,
} from '../db/statements/models.ts';
import { isServingAlive } from '../db/statements/processes.ts';
import { addNotice, dropStudyParams, type Study, selectValidation, setOutcome } from '../db/statements/studies.ts';
import { type TransitionContext, transitionDeployment, transitionStudy } from '../db/statements/transitions.ts';
import { selectVariantVotes, selectVotes, type TrialRow, type TrialVotes } from '../db/statements/trials.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { baseline, scoreOfClasses } from '../domain/metrics.ts';
import { InvalidState, NameTaken } from '../errors/errors.ts';
import { bestEnsemble, bestOfFamilies, subsetAccuracies } from './ensemble.ts';
import { knowsNothing, reasonNotToDeploy } from './may-deploy.ts';
import { isScored } from './plan.ts';

/** How long a study waits for its model to be loaded before it is completed anyway. */
const DEPLOY_WAIT_MS = 60_000;

/** Writes a study's model: version, members, and a deployment where the model is to answer. Runs in a transaction. */
export async function conclude(mover: TransitionContext, study: Study, trials: readonly TrialRow[]): Promise<void> {
  const { on } = mover;
  const chosen = await chooseMembers(on, study, trials);
  const model = await holdModel(on, { name: study.model, owner: study.owner, task: study.task });
  const isOther = model.task !== study.task;
  if (!model.own || (isOther && !study.replace)) throw nameTaken(study);
  const { members, score, accuracies, classes } = chosen;
  const { id, version } = await insertVersion(on, {
    ...{ modelId: model.id, studyId: study.id, score, accuracies, classes },
    ...{ metric: study.metric, judgedRows: chosen.judgedRows },
  });
  for (const [rank, member] of members.entries()) {
    const { id: trialId, family, precision, score: memberScore, paramsId } = member;
    await insertMember(on, id, { rank, trialId, family, precision, score: memberScore, paramsId });
  }
  const reason = reasonNotToDeploy(study, { ...chosen, version, answering: await selectAnswering(on, model.id) });
  const finished = study.finishRequested ? 'Finished early, as asked.' : null;
  const notices = [finished, knowsNothing(chosen), reason].filter((notice) => notice !== null);
  await setOutcome(on, study.id, { version, notice: notices.length === 0 ? null : notices.join(' ') });
  await dropStudyParams(on, study.id);
  if (isOther) await changeTask(mover, model.id, study);
  if (reason === null) await deploy(mover, { modelId: model.id, versionId: id });
  else await transitionStudy(mover, { id: study.id, from: 'running', event: 'complete' });
}

/** Completes the study once its model answers, or once waiting for that makes no sense. */
export async function awaitDeployment(mover: TransitionContext, study: Study): Promise<void> {
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
  await transitionStudy(mover, { id: study.id, from: 'running', event: 'complete' });
}

interface Chosen {
  members: TrialVotes[];
  score: number;
  accuracies: number[] | null;
  classes: string[];
  judgedRows: number | null;
  /** What whoever does not look at the rows would score. */
  blind: number;
}

async function chooseMembers(on: Queryable, study: Study, trials: readonly TrialRow[]): Promise<Chosen> {
  const candidates = bestOfFamilies(trials.filter(isScored));
  const [best] = candidates;
  if (best === undefined) throw new InvalidState(`study ${study.id} has no scored trial to make a model of`);
  const validation = await selectValidation(on, study.id, best.validationHash);
  const ranked = await selectVotes(
    on,
    candidates.map((trial) => trial.id),
  );
  const { classes } = validation;
  const { metric } = study;
  const labels = uint16s(validation.labels);
  const blind = baseline(metric, labels, classes.length);
  const judged = { classes, blind, judgedRows: labels.length === 0 ? null : labels.length };
  if (!kindOf(study.task).votes(metric))
    return { members: ranked.slice(0, 1), score: best.score, accuracies: null, ...judged };
  const votesOf = (trials: readonly TrialVotes[]): Uint16Array[] => trials.map((trial) => uint16s(trial.predictions));
  const { members: count, score } = bestEnsemble(votesOf(ranked), labels, (predicted, actual) =>
    scoreOfClasses(metric === 'macro_f1' ? metric : 'accuracy', { predicted, actual, classes: classes.length }),
  );
  const exact = ranked.slice(0, count);
  const variants = await selectVariantVotes(
    on,
    exact.map((trial) => trial.id),
  );
  const members = [...exact, ...variants];
  return { members, score, accuracies: subsetAccuracies(votesOf(members), labels), ...judged };
}

/** Nothing that answers for the other task may go on: its answers are of another kind. */
async function changeTask(mover: TransitionContext, modelId: number, { task }: Study): Promise<void> {
  for (const { id, state } of await selectDeployments(mover.on, modelId))
    await transitionDeployment(mover, { id, from: state, event: 'retire' });
  await setTask(mover.on, modelId, task);
}

/** A version that was still being loaded makes way: the newest one is wanted. */
async function deploy(mover: TransitionContext, place: { modelId: number; versionId: number }): Promise<void> {
  for (const { id } of await selectLoading(mover.on, place.modelId)) {
    await transitionDeployment(mover, { id, from: 'loading', event: 'retire' });
  }
  await insertDeployment(mover.on, place);
}

/** Little endian on every machine that Node runs on; the copy is aligned. */
const uint16s = (bytes: Buffer): Uint16Array => new Uint16Array(new Uint8Array(bytes).buffer);

const nameTaken = ({ model }: Study): NameTaken =>
  new NameTaken(`the model name "${model}" was taken while the study ran`, {
    hint: "Train again under another name: model => '…'.",
  });
