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

export const servingRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/serving',
    tag: 'service',
    summary:
      'How your models answer: calls, latencies, batches, members, memory, since the servers started; of the 200 with most calls',
    answer: Type.Object({ models: Type.Array(servedSchema) }),
    handle: async ({ role }) => ({ models: await role.call<ServedModelAnswer>('serving') }),
  }),
];
