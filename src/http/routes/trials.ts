import Type, { type Static } from 'typebox';
import { UndefinedObject } from '../../errors/errors.ts';
import { type HttpRoute, route } from '../route.ts';
import { DEFAULT_PAGE, nullable, nullableNumber, nullableText, pageQuery, studyParams } from '../schemas.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import { studyOf } from './studies.ts';

const tag = 'trials';

const trialSchema = Type.Object(
  {
    study: Type.Integer(),
    trial: Type.Integer(),
    family: Type.String(),
    state: Type.String(),
    attempt: Type.Integer(),
    epoch: nullable(Type.Integer()),
    epochs: nullable(Type.Integer()),
    score: nullableNumber,
    seconds: nullableNumber,
    parent: nullable(Type.Integer()),
    warm_share: nullableNumber,
    refits: nullable(Type.Integer()),
    knobs: Type.Record(Type.String(), Type.Unknown()),
    error: nullableText,
    started_at: nullableText,
    ended_at: nullableText,
  },
  { $id: 'Trial' },
);

export type TrialAnswer = Static<typeof trialSchema>;

const reportSchema = Type.Object(
  {
    trial: Type.Integer(),
    epoch: Type.Integer(),
    step: Type.Integer(),
    loss: nullableNumber,
    score: nullableNumber,
    seconds: nullableNumber,
    at: nullableText,
  },
  { $id: 'Report' },
);

const trialParams = Type.Object({ ...studyParams.properties, trial: Type.String({ pattern: '^[0-9]{1,9}$' }) });

async function trialOf(role: SignedIn, { study, trial }: Static<typeof trialParams>): Promise<TrialAnswer> {
  const [found] = await role.call<TrialAnswer>('trials', { study, trial });
  if (found !== undefined) return found;
  throw new UndefinedObject(`trial ${trial} of study ${study} does not exist`, {
    hint: `GET /v1/studies/${study}/trials lists them.`,
  });
}

export const trialRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/trials',
    tag,
    summary: 'The trials of a study: by number, or the best first',
    params: studyParams,
    query: Type.Object(
      {
        ...pageQuery.properties,
        order: Type.Optional(Type.Union([Type.Literal('number'), Type.Literal('best')])),
        state: Type.Optional(Type.String({ maxLength: 20 })),
      },
      { additionalProperties: false },
    ),
    answer: Type.Object({ trials: Type.Array(trialSchema) }),
    async handle({ role, params: { study }, query }) {
      const { limit = DEFAULT_PAGE, offset = 0, order = 'number', state = null } = query;
      await studyOf(role, study);
      return { trials: await role.call<TrialAnswer>('trials', { study, limit, offset, order, state }) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/studies/:study/trials/:trial',
    tag,
    summary: 'One trial, with its knobs',
    params: trialParams,
    answer: trialSchema,
    handle: ({ role, params }) => trialOf(role, params),
  }),
  route({
    method: 'GET',
    path: '/v1/studies/:study/trials/:trial/reports',
    tag,
    summary: 'What one trial measured after each epoch',
    params: trialParams,
    query: pageQuery,
    answer: Type.Object({ reports: Type.Array(reportSchema) }),
    async handle({ role, params, query: { limit = DEFAULT_PAGE, offset = 0 } }) {
      await trialOf(role, params);
      return {
        reports: await role.call<Static<typeof reportSchema>>('reports', { ...params, limit, offset }),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/studies/:study/reports',
    tag,
    summary: 'Learning curves: what each trial measured after each epoch',
    params: studyParams,
    query: pageQuery,
    answer: Type.Object({ reports: Type.Array(reportSchema) }),
    async handle({ role, params: { study }, query: { limit = DEFAULT_PAGE, offset = 0 } }) {
      await studyOf(role, study);
      return { reports: await role.call<Static<typeof reportSchema>>('reports', { study, limit, offset }) };
    },
  }),
];
