import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { modelParams, nullable, nullableNumber, nullableText } from '../schemas.ts';

const workerSchema = Type.Object(
  {
    process: Type.Integer(),
    kind: Type.String(),
    host: Type.String(),
    pid: Type.Integer(),
    device: Type.String(),
    up: nullableText,
    seen_s: nullableNumber,
    trial: nullableText,
    waiting: nullableNumber,
    oldest_s: nullableNumber,
    lost: nullableNumber,
  },
  { $id: 'Worker' },
);

export type WorkerAnswer = Static<typeof workerSchema>;

const statSchema = Type.Object(
  {
    model: Type.String(),
    calls: nullableNumber,
    rows: nullableNumber,
    cached: nullableNumber,
    batches: nullableNumber,
    rows_per_batch: nullableNumber,
    overdue: nullableNumber,
    p50_ms: nullableNumber,
    p99_ms: nullableNumber,
  },
  { $id: 'PredictStat' },
);

const knobSchema = Type.Object(
  {
    family: Type.String(),
    knob: Type.String(),
    grp: nullableText,
    kind: Type.String(),
    domain: nullableText,
    initial: nullableText,
  },
  { $id: 'Knob' },
);

const taskSchema = Type.Object(
  { task: Type.String(), input: Type.String(), output: Type.String(), families: Type.Array(Type.String()) },
  { $id: 'Task' },
);

const roleSchema = Type.Object({ role: Type.String(), roles: Type.Array(Type.String()) }, { $id: 'Role' });

export const serviceRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/me',
    tag: 'sign-in',
    summary: 'The role that the request acts as',
    answer: roleSchema,
    async handle({ role }) {
      const [row] = await role.call<{ role: string; roles: string[] }>('me');
      return row ?? { role: role.role, roles: [] };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/workers',
    tag: 'service',
    summary: 'Running processes, as rafiki.workers',
    answer: Type.Object({ workers: Type.Array(workerSchema) }),
    handle: async ({ role }) => ({
      workers: await role.call<WorkerAnswer>('workers'),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/models/:model/stats',
    tag: 'service',
    summary: 'Prediction calls of a model of yours since the servers started',
    params: modelParams,
    answer: Type.Object({ stats: nullable(statSchema) }),
    async handle({ role, params }) {
      const [stats = null] = await role.call<Static<typeof statSchema>>('stats', params);
      return { stats };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/tasks',
    tag: 'service',
    summary: 'What can be learnt, and the families that learn it',
    answer: Type.Object({ tasks: Type.Array(taskSchema) }),
    handle: async ({ role }) => ({ tasks: await role.call<Static<typeof taskSchema>>('tasks') }),
  }),
  route({
    method: 'GET',
    path: '/v1/tasks/:task/knobs',
    tag: 'service',
    summary: 'The knobs of each family with their domains, as rafiki_knobs',
    params: Type.Object({ task: Type.String({ minLength: 1, maxLength: 100 }) }),
    answer: Type.Object({ knobs: Type.Array(knobSchema) }),
    handle: async ({ role, params }) => ({
      knobs: await role.call<Static<typeof knobSchema>>('knobs', params),
    }),
  }),
];
