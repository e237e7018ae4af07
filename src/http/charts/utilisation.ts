import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';

const HOUR_S = 3600;

const utilisationSchema = Type.Object(
  {
    worker: Type.Integer({ description: 'its process' }),
    busy_s: Type.Number({ description: 'seconds of the last hour in trials that the role may see' }),
    trials: Type.Integer(),
    studies: Type.Array(Type.Integer()),
  },
  { $id: 'Utilisation' },
);

export type UtilisationAnswer = Static<typeof utilisationSchema>;

const utilisationSql = `
  select t.worker, sum(extract(epoch from coalesce(t.ended_at, now()) - greatest(t.started_at, now() - interval '${HOUR_S} s'))) as busy_s,
    count(*)::int as trials, array_agg(distinct t.study_id) as studies
  from rafiki.trial t
  where t.worker is not null and t.started_at is not null and coalesce(t.ended_at, now()) > now() - interval '${HOUR_S} s'
  group by t.worker order by t.worker limit 1000`;

export const utilisationRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/workers/utilisation',
    tag: 'service',
    summary: 'How long each worker was busy with your trials in the last hour',
    answer: Type.Object({ workers: Type.Array(utilisationSchema) }),
    handle: async ({ role }) => ({ workers: await role.rows<UtilisationAnswer>(utilisationSql) }),
  }),
];
