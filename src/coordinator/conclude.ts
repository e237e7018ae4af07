import {
  insertMember,
  insertVersion,
  lockModel,
  selectDeployedVersion,
  selectFurtherColumns,
  selectModelDeployments,
  selectStudyDeployment,
  setTask,
} from '../db/statements/models.ts';
import { dropStudyParams } from '../db/statements/params.ts';
import { isServingAlive } from '../db/statements/processes.ts';
import { addNotice, type Study, setOutcome } from '../db/statements/studies.ts';
import { type TransitionContext, transitionDeployment, transitionStudy } from '../db/statements/transitions.ts';
import { insertTrial, type TrialRow } from '../db/statements/trials.ts';
import { selectRefit } from '../db/statements/votes.ts';
import { NameTaken } from '../errors/errors.ts';
import { chooseMembers } from './choose-members.ts';
import { deployVersion } from './deploy-version.ts';
import { baselineNotice, reasonNotToDeploy } from './may-deploy.ts';
import { missingRefits, withoutRefits } from './refits.ts';

/** Maximum time that a study waits for its model to be loaded before it completes. */
const DEPLOY_WAIT_MS = 60_000;

/**
 * Writes a study's model: version, members, and a deployment if the version is to be deployed. Before, the members are trained again on
 * all rows, if there is time. Runs in a transaction.
 */
export async function conclude(context: TransitionContext, study: Study, trials: readonly TrialRow[]): Promise<void> {
  const { on } = context;
  const chosen = await chooseMembers(on, study, withoutRefits(trials));
  const refits = missingRefits(
    study,
    trials,
    chosen.members.map(({ id }) => id),
  );
  if (refits.length > 0) {
    for (const refit of refits) await insertTrial(on, refit);
    return;
  }
  const model = await lockModel(on, { name: study.model, owner: study.owner, task: study.task });
  const isOther = model.task !== study.task;
  if (!model.own || (isOther && !study.replace)) throw nameTaken(study);
  const { members, rule, score, accuracies, classes } = chosen;
  const { id, version } = await insertVersion(on, {
    ...{ modelId: model.id, studyId: study.id, rule, score, accuracies, classes },
    ...{ metric: study.metric, scoredRows: chosen.scoredRows },
  });
  for (const [rank, member] of members.entries()) {
    const { id: trialId, family, precision, score: memberScore, paramsId, weight, temperature, variantOf } = member;
    const refit = (await selectRefit(on, trialId)).find((each) => each.precision === precision);
    const isWorse = refit !== undefined && refit.score !== null && refit.score < memberScore; // on rows that it was trained on
    const refitParamsId = isWorse ? null : (refit?.paramsId ?? null);
    const weights = { paramsId, refitParamsId, weight, temperature, variantOf };
    await insertMember(on, id, { rank, trialId, family, precision, score: memberScore, ...weights });
  }
  const deployedId = await selectDeployedVersion(on, model.id);
  const furtherColumns =
    deployedId === null ? [] : await selectFurtherColumns(on, { versionId: id, thanId: deployedId });
  const reason = reasonNotToDeploy(study, { ...chosen, version, deployedId, furtherColumns });
  const finished = study.finishRequested ? 'Finished early, as asked.' : null;
  const notices = [finished, baselineNotice(chosen), reason].filter((notice) => notice !== null);
  await setOutcome(on, study.id, { version, notice: notices.length === 0 ? null : notices.join(' ') });
  await dropStudyParams(on, study.id);
  if (isOther) await changeTask(context, model.id, study);
  if (reason === null) await deployVersion(context, { modelId: model.id, versionId: id });
  else await transitionStudy(context, { id: study.id, from: 'running', event: 'complete' });
}

/** Completes the study when its model is ready, or when waiting is pointless. */
export async function awaitDeployment(context: TransitionContext, study: Study): Promise<void> {
  const deployment = await selectStudyDeployment(context.on, study.id);
  if (deployment?.state === 'loading') {
    const alive = await isServingAlive(context.on);
    if (alive && deployment.ageMs < DEPLOY_WAIT_MS) return;
    const loading = deployment.error?.message ?? 'it is still loading';
    const why = alive ? loading : 'no serving process is running; start one with "rafiki serve"';
    await addNotice(context.on, study.id, `Version ${study.version} is not ready yet: ${why}.`);
  }
  if (deployment?.state === 'failed') {
    await addNotice(
      context.on,
      study.id,
      `Version ${study.version} could not be loaded: ${deployment.error?.message ?? 'unknown error'}.`,
    );
  }
  await transitionStudy(context, { id: study.id, from: 'running', event: 'complete' });
}

/** Retires deployments of the other task: their answers are of another kind. */
async function changeTask(context: TransitionContext, modelId: number, { task }: Study): Promise<void> {
  for (const { id, state } of await selectModelDeployments(context.on, modelId))
    await transitionDeployment(context, { id, from: state, event: 'retire' });
  await setTask(context.on, modelId, task);
}

const nameTaken = ({ model }: Study): NameTaken =>
  new NameTaken(`the model name "${model}" was taken while the study ran`, {
    hint: "Train again under another name: model => '…'.",
  });
