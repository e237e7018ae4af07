import Type, { type Static } from 'typebox';
import type { TrialState } from '../../domain/state.ts';
import { type HttpRoute, route } from '../route.ts';
import { studyOf } from '../routes/studies.ts';
import { nullable, nullableNumber, studyParams } from '../schemas.ts';

const states: readonly TrialState[] = ['waiting', 'running', 'completed', 'stopped', 'failed', 'cancelled'];
/** A study has 10,000 trials at most, and a few that train again on all rows. */
const MAX_TRIALS = 20_000;

const numbers = Type.Array(Type.Number());
const nullableNumbers = Type.Array(nullableNumber);

/** Trials as columns of equal length: ten thousand are a tenth of what they are as objects. */
const historySchema = Type.Object(
  {
    states: Type.Array(Type.String()),
    families: Type.Array(Type.String()),
    trial: numbers,
    family: Type.Array(Type.Integer({ description: 'its place in families' })),
    state: Type.Array(Type.Integer({ description: 'its place in states' })),
    score: nullableNumbers,
    epoch: nullableNumbers,
    epochs: nullableNumbers,
    began_s: Type.Array(nullable(Type.Number({ description: 'seconds after the study was created' }))),
    ended_s: nullableNumbers,
    parent: nullableNumbers,
    refits: nullableNumbers,
    worker: Type.Array(nullable(Type.Integer({ description: 'the process that trains it, or did so last' }))),
  },
  { $id: 'History' },
);

export type HistoryAnswer = Static<typeof historySchema>;

const historySql = `
  with family as (select array_agg(distinct t.family order by t.family) as names from rafiki.trial t where t.study_id = $1::bigint),
  chosen as (
    select t.number, t.family, t.state, t.score, t.epoch, t.epochs, t.started_at, t.ended_at, t.worker, p.number as parent, f.number as refitted, s.created_at as asked_at
    from rafiki.trial t join rafiki.study s on s.id = t.study_id
      left join rafiki.trial p on p.id = t.parent_id left join rafiki.trial f on f.id = t.refits
    where t.study_id = $1::bigint and t.number >= $2::int order by t.number limit ${MAX_TRIALS})
  select $3::text[] as states, coalesce((select f.names from family f), '{}') as families,
    coalesce(array_agg(c.number), '{}') as trial,
    coalesce(array_agg(array_position((select f.names from family f), c.family) - 1), '{}') as family,
    coalesce(array_agg(array_position($3::text[], c.state) - 1), '{}') as state,
    coalesce(array_agg(round(c.score::numeric, 5)), '{}') as score,
    coalesce(array_agg(c.epoch), '{}') as epoch, coalesce(array_agg(c.epochs), '{}') as epochs,
    coalesce(array_agg(round(extract(epoch from c.started_at - c.asked_at), 1)), '{}') as began_s,
    coalesce(array_agg(round(extract(epoch from c.ended_at - c.asked_at), 1)), '{}') as ended_s,
    coalesce(array_agg(c.parent), '{}') as parent, coalesce(array_agg(c.refitted), '{}') as refits,
    coalesce(array_agg(c.worker), '{}') as worker
  from chosen c`;

export const historyRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/history',
    tag: 'charts',
    summary: 'All trials of a study in columns; with from: those of this number and above',
    params: studyParams,
    query: Type.Object(
      { from: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })) },
      { additionalProperties: false },
    ),
    answer: historySchema,
    async handle({ role, params: { study }, query: { from = 0 } }) {
      await studyOf(role, study);
      const [row] = await role.rows<HistoryAnswer>(historySql, [study, from, states]);
      return row as HistoryAnswer;
    },
  }),
];
