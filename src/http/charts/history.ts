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

export const historyRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/history',
    tag: 'charts',
    isLong: true,
    summary: 'All trials of a study in columns; with from: those of this number and above',
    params: studyParams,
    query: Type.Object(
      { from: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })) },
      { additionalProperties: false },
    ),
    answer: historySchema,
    async handle({ role, params: { study }, query: { from = 0 } }) {
      await studyOf(role, study);
      const [row] = await role.call<HistoryAnswer>('history', { study, from, states, most: MAX_TRIALS });
      return row as HistoryAnswer;
    },
  }),
];
