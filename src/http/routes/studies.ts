import Type, { type Static } from 'typebox';
import { MAX_TABLE_COLUMNS } from '../../domain/table.ts';
import { UndefinedObject } from '../../errors/errors.ts';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import {
  DEFAULT_PAGE,
  doneSchema,
  nameSchema,
  nullable,
  nullableNumber,
  nullableText,
  pageQuery,
  studyParams,
} from '../schemas.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';

const tag = 'studies';

const studySchema = Type.Object(
  {
    study: Type.Integer(),
    model: Type.String(),
    task: Type.String(),
    source: nullableText,
    state: Type.String(),
    paused: Type.Boolean(),
    done: Type.Integer(),
    running: Type.Integer(),
    total: Type.Integer(),
    best: nullableNumber,
    metric: Type.String(),
    version: nullable(Type.Integer()),
    eta: nullableText,
    notice: nullableText,
    plan: nullableText,
    error: nullable(
      Type.Object({ code: nullableText, message: nullableText, detail: nullableText, hint: nullableText }),
    ),
    created_at: Type.String(),
    started_at: nullableText,
    ended_at: nullableText,
  },
  { $id: 'Study' },
);

export type StudyAnswer = Static<typeof studySchema>;

const texts = Type.Array(Type.String({ maxLength: 1000 }), { maxItems: MAX_TABLE_COLUMNS });
/** What Postgres has as such. */
const integer = Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 });
const timeSpan = Type.String({ maxLength: 100, description: 'an interval: 10 min' });
const domain = Type.Record(Type.String(), Type.Unknown());

/** The arguments of rafiki_train, by their names. */
const trainBody = Type.Object(
  {
    task: Type.String({ maxLength: 100 }),
    source: Type.String({ maxLength: 200, description: 'a data set: table, or schema.table' }),
    model: Type.Optional(nameSchema),
    target: Type.Optional(Type.String({ maxLength: 63 })),
    features: Type.Optional(texts),
    families: Type.Optional(texts),
    knobs: Type.Optional(domain),
    advisor: Type.Optional(Type.String({ maxLength: 100 })),
    collaborative: Type.Optional(Type.Boolean()),
    max_trials: Type.Optional(integer),
    max_time: Type.Optional(timeSpan),
    target_score: Type.Optional(Type.Number()),
    validation: Type.Optional(Type.Number()),
    seed: Type.Optional(integer),
    deploy: Type.Optional(Type.Boolean()),
    on_bad_row: Type.Optional(Type.String({ maxLength: 100 })),
    validation_source: Type.Optional(Type.String({ maxLength: 200 })),
    validation_split: Type.Optional(Type.String({ maxLength: 63 })),
    validation_after: Type.Optional(Type.String({ maxLength: 100 })),
    metric: Type.Optional(Type.String({ maxLength: 100 })),
    class_weights: Type.Optional(Type.String({ maxLength: 100 })),
    replace: Type.Optional(Type.Boolean()),
    workers_per_trial: Type.Optional(integer),
    ensemble: Type.Optional(Type.String({ maxLength: 100 })),
    start: Type.Optional(nameSchema),
  },
  { $id: 'TrainArguments', additionalProperties: false },
);

const findingSchema = Type.Object({ finding: Type.String(), detail: Type.String() }, { $id: 'Finding' });

export async function studyOf(role: SignedIn, study: string): Promise<StudyAnswer> {
  const [found] = await role.call<StudyAnswer>('studies', { study });
  if (found !== undefined) return found;
  throw new UndefinedObject(`study ${study} does not exist`, {
    detail: 'Or it belongs to another role.',
    hint: 'GET /v1/studies lists yours.',
  });
}

export const newestStudies = (role: SignedIn): Promise<StudyAnswer[]> =>
  role.call<StudyAnswer>('studies', { limit: DEFAULT_PAGE });

async function steer(
  role: SignedIn,
  change: { study: string; step: string; more?: string },
): Promise<{ done: boolean }> {
  const [row] = await role.call<{ done: boolean }>('steer', change);
  return { done: row?.done ?? false };
}

const steps = ['cancel', 'finish', 'pause', 'resume'] as const;

export const studyRoutes = ({ longStatementMs }: HttpLimits): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/studies',
    tag,
    summary: 'Starts a study: the arguments of rafiki_train',
    body: trainBody,
    answer: studySchema,
    status: 201,
    async handle({ role, body }) {
      const [study] = await role.call<Static<typeof studySchema>>('train', body);
      return study as Static<typeof studySchema>;
    },
  }),
  route({
    method: 'POST',
    path: '/v1/studies/check',
    tag,
    summary: 'What rafiki_check finds in the rows that a study with these arguments would have',
    body: trainBody,
    answer: Type.Object({ findings: Type.Array(findingSchema) }),
    handle: async ({ role, body }) => ({
      findings: await role.call<Static<typeof findingSchema>>('check', body, longStatementMs),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/studies',
    tag,
    summary: 'Your studies, newest first',
    query: Type.Object(
      {
        ...pageQuery.properties,
        model: Type.Optional(nameSchema),
        state: Type.Optional(
          Type.Union(['queued', 'running', 'completed', 'failed', 'cancelled'].map((s) => Type.Literal(s))),
        ),
      },
      { additionalProperties: false },
    ),
    answer: Type.Object({ studies: Type.Array(studySchema) }),
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0, ...which } }) => ({
      studies: await role.call<Static<typeof studySchema>>('studies', { ...which, limit, offset }),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/studies/:study',
    tag,
    summary: 'One study',
    params: studyParams,
    answer: studySchema,
    handle: ({ role, params }) => studyOf(role, params.study),
  }),
  route({
    method: 'POST',
    path: '/v1/studies/:study/extend',
    tag,
    summary: 'As rafiki_extend: gives an open study more time',
    params: studyParams,
    body: Type.Object({ more: timeSpan }, { additionalProperties: false }),
    answer: doneSchema,
    handle: ({ role, params, body }) => steer(role, { study: params.study, step: 'extend', ...body }),
  }),
  ...steps.map((step) =>
    route({
      method: 'POST',
      path: `/v1/studies/:study/${step}`,
      tag,
      summary: `As rafiki_${step}`,
      params: studyParams,
      answer: doneSchema,
      handle: ({ role, params }) => steer(role, { study: params.study, step }),
    }),
  ),
];
