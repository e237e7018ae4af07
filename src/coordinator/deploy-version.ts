import { insertDeployment, selectLoading } from '../db/statements/models.ts';
import { type TransitionContext, transitionDeployment } from '../db/statements/transitions.ts';

/** Deploys a version. One that is still loading is retired: the newest one replaces it. */
export async function deployVersion(
  context: TransitionContext,
  place: { modelId: number; versionId: number },
): Promise<void> {
  for (const { id } of await selectLoading(context.on, place.modelId))
    await transitionDeployment(context, { id, from: 'loading', event: 'retire' });
  await insertDeployment(context.on, place);
}
