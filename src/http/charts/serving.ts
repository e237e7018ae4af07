import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { nullable, nullableNumber } from '../schemas.ts';

const servedSchema = Type.Object(
  {
    model: Type.String(),
    version: nullable(Type.Integer()),
    budget_ms: Type.Number({ description: 'the latency budget, if a call and its session have none' }),
    calls: nullableNumber,
    rows: nullableNumber,
    cached: nullableNumber,
    batches: nullableNumber,
    overdue: nullableNumber,
    refused: nullableNumber,
    p50_ms: nullableNumber,
    p99_ms: nullableNumber,
    latencies: Type.Array(Type.Number(), { description: 'calls by their time, as in rafiki.stat_batches' }),
    batch_sizes: Type.Array(Type.Number()),
    members: Type.Array(Type.Object({ members: Type.Array(Type.String()), rows: Type.Number() })),
    memory: Type.Array(
      Type.Object({
        process: Type.Integer(),
        host: Type.String(),
        mb: Type.Number(),
        loads: Type.Number(),
        cold: Type.Number(),
      }),
    ),
  },
  { $id: 'ServedModel' },
);

export type ServedModelAnswer = Static<typeof servedSchema>;

/** Sums over the servers. The members of a choice are named by their places in the deployed version. */
const servingSql = `
  with batches as (select b.* from rafiki.stat_batches b),
  summed as (
    select u.model, u.what, array_agg(u.n order by u.place) as counts from (
      select b.model, l.what, l.place, sum(l.n)::bigint as n from batches b cross join lateral (
        select 'latency' as what, x.place, x.n from unnest(b.latencies) with ordinality x (n, place)
        union all select 'size', x.place, x.n from unnest(b.batch_sizes) with ordinality x (n, place)) l
      group by b.model, l.what, l.place) u
    group by u.model, u.what),
  chosen as (
    select c.model, json_agg(json_build_object('members', c.members, 'rows', c.n) order by c.n desc) as members from (
      select b.model, e.key, sum(e.value::bigint)::bigint as n, coalesce((
          select json_agg(v.name order by v.place) from (
            select r.family || case r.precision when 'float32' then '' else ' ' || r.precision end as name, row_number() over (order by r.rank) - 1 as place
            from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state = 'ready' join rafiki.model_member r on r.version_id = d.version_id
            where m.name = b.model) v where (e.key::bigint >> v.place::int) & 1 = 1), '[]') as members
      from batches b cross join jsonb_each_text(b.members) e group by b.model, e.key) c
    group by c.model)
  select p.model, a.version, extract(epoch from coalesce(m.latency_budget, interval '50 ms')) * 1000 as budget_ms, p.calls, p.rows, p.cached, p.batches,
    p.overdue, (select sum(b.refused) from batches b where b.model = p.model) as refused, p.p50_ms, p.p99_ms,
    coalesce((select s.counts from summed s where s.model = p.model and s.what = 'latency'), '{}') as latencies,
    coalesce((select s.counts from summed s where s.model = p.model and s.what = 'size'), '{}') as batch_sizes,
    coalesce((select c.members from chosen c where c.model = p.model), '[]') as members,
    coalesce((select json_agg(json_build_object('process', y.process, 'host', y.host, 'mb', y.mb, 'loads', y.loads, 'cold', y.cold) order by y.process)
      from rafiki.stat_memory y where y.model = p.model), '[]') as memory
  from rafiki.stat_predict p join rafiki.model m on m.name = p.model left join rafiki._answering_version(p.model) a on true
  order by p.calls desc, p.model limit 200`;

export const servingRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/serving',
    tag: 'service',
    summary:
      'How your models answer: calls, latencies, batches, members, memory, since the servers started; of the 200 with most calls',
    answer: Type.Object({ models: Type.Array(servedSchema) }),
    handle: async ({ role }) => ({ models: await role.rows<ServedModelAnswer>(servingSql) }),
  }),
];
