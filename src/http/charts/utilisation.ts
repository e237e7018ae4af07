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

export const utilisationRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/workers/utilisation',
    tag: 'service',
    summary: 'How long each worker was busy with your trials in the last hour',
    answer: Type.Object({ workers: Type.Array(utilisationSchema) }),
    handle: async ({ role }) => ({ workers: await role.call<UtilisationAnswer>('utilisation', { seconds: HOUR_S }) }),
  }),
];
