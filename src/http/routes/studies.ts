import Type, { type Static } from 'typebox';
import { UndefinedObject } from '../../errors/errors.ts';
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
import { relationOf } from './relations.ts';

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

/** `where` is a condition on study s. */
const studySql = (where: string): string => `
  select s.id as study, v.model, s.task, c.oid::regclass::text as source, v.state,
    s.paused_at is not null as paused, v.done, v.running, v.total, v.best, s.metric, s.version,
    v.eta::text, v.notice, v.plan::text, case when s.error is not null then json_build_object('code', s.error ->> 'sqlstate', 'message', s.error ->> 'message',
      'detail', s.error ->> 'detail', 'hint', s.error ->> 'hint') end as error, s.created_at, s.started_at, s.ended_at
  from rafiki.study s join rafiki.studies v on v.study = s.id
    left join pg_class c on c.oid = s.source and has_schema_privilege(c.relnamespace, 'usage')
  where ${where}
  order by s.id desc`;

const texts = Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 1600 });
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
    max_trials: Type.Optional(Type.Integer()),
    max_time: Type.Optional(Type.String({ maxLength: 100, description: 'an interval: 10 min' })),
    target_score: Type.Optional(Type.Number()),
    validation: Type.Optional(Type.Number()),
    seed: Type.Optional(Type.Integer()),
    deploy: Type.Optional(Type.Boolean()),
    on_bad_row: Type.Optional(Type.String({ maxLength: 100 })),
    validation_source: Type.Optional(Type.String({ maxLength: 200 })),
    validation_split: Type.Optional(Type.String({ maxLength: 63 })),
    validation_after: Type.Optional(Type.String({ maxLength: 100 })),
    metric: Type.Optional(Type.String({ maxLength: 100 })),
    class_weights: Type.Optional(Type.String({ maxLength: 100 })),
    replace: Type.Optional(Type.Boolean()),
    workers_per_trial: Type.Optional(Type.Integer()),
    start: Type.Optional(nameSchema),
  },
  { additionalProperties: false },
);

/** Types of the arguments that are no text. */
const types: Readonly<Partial<Record<keyof Static<typeof trainBody>, string>>> = {
  source: 'regclass',
  target: 'name',
  features: 'name[]',
  families: 'text[]',
  knobs: 'jsonb',
  collaborative: 'boolean',
  max_trials: 'int',
  max_time: 'interval',
  target_score: 'float8',
  validation: 'float8',
  seed: 'int',
  deploy: 'boolean',
  validation_source: 'regclass',
  validation_split: 'name',
  validation_after: 'timestamptz',
  replace: 'boolean',
  workers_per_trial: 'int',
};

async function train(role: SignedIn, body: Static<typeof trainBody>): Promise<number> {
  const given: Record<string, unknown> = { ...body, source: await relationOf(role, body.source) };
  if (body.validation_source !== undefined) given['validation_source'] = await relationOf(role, body.validation_source);
  if (body.knobs !== undefined) given['knobs'] = JSON.stringify(body.knobs);
  const names = Object.keys(given) as (keyof Static<typeof trainBody>)[];
  const list = names.map((name, i) => {
    const type = types[name] ?? 'text';
    return `${name} => $${i + 1}::${type === 'regclass' ? 'oid::regclass' : type}`;
  });
  return role.transaction(async (on) => {
    const values = names.map((name) => given[name]);
    const [row] = await on.query<{ study: number }>(`select ${role.api}.rafiki_train(${list.join()}) as study`, values);
    return row?.study ?? 0;
  });
}

export async function studyOf(role: SignedIn, study: string): Promise<StudyAnswer> {
  const [found] = await role.rows<StudyAnswer>(studySql('s.id = $1::bigint'), [study]);
  if (found !== undefined) return found;
  throw new UndefinedObject(`study ${study} does not exist`, {
    detail: 'Or it belongs to another role.',
    hint: 'GET /v1/studies lists yours.',
  });
}

export const newestStudies = (role: SignedIn): Promise<StudyAnswer[]> =>
  role.rows<StudyAnswer>(`${studySql('true')} limit ${DEFAULT_PAGE}`);

const steps = ['cancel', 'finish', 'pause', 'resume'] as const;

export const studyRoutes = (): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/studies',
    tag,
    summary: 'Starts a study: the arguments of rafiki_train',
    body: trainBody,
    answer: studySchema,
    status: 201,
    handle: async ({ role, body }) => studyOf(role, String(await train(role, body))),
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
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0, model = null, state = null } }) => ({
      studies: await role.rows<StudyAnswer>(
        `${studySql('($3::text is null or s.model = $3) and ($4::text is null or s.state = $4)')} limit $1 offset $2`,
        [limit, offset, model, state],
      ),
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
  ...steps.map((step) =>
    route({
      method: 'POST',
      path: `/v1/studies/:study/${step}`,
      tag,
      summary: `As rafiki_${step}`,
      params: studyParams,
      answer: doneSchema,
      handle: async ({ role, params }) => {
        const [row] = await role.rows<{ done: boolean }>(`select ${role.api}.rafiki_${step}($1::bigint) as done`, [
          params.study,
        ]);
        return { done: row?.done ?? false };
      },
    }),
  ),
];
