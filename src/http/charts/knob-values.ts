import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { studyOf } from '../routes/studies.ts';
import { nameSchema, nullableNumber, studyParams } from '../schemas.ts';
import { chartedLines } from './curves.ts';

const knobValuesSchema = Type.Object(
  {
    of: Type.Integer({ description: 'scored trials of the family' }),
    trial: Type.Array(Type.Integer()),
    score: Type.Array(nullableNumber),
    knobs: Type.Array(
      Type.Object({
        knob: Type.String(),
        domain: Type.Record(Type.String(), Type.Unknown()),
        values: Type.Array(Type.Unknown()),
      }),
    ),
  },
  { $id: 'KnobValues' },
);

export type KnobValuesAnswer = Static<typeof knobValuesSchema>;

export const knobValueRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/knob_values',
    tag: 'charts',
    isLong: true,
    summary: "The knobs of a family's scored trials in columns; of many trials a choice, as of curves",
    params: studyParams,
    query: Type.Object({ family: nameSchema }, { additionalProperties: false }),
    answer: knobValuesSchema,
    async handle({ role, params: { study }, query: { family } }) {
      await studyOf(role, study);
      const [row] = await role.call<KnobValuesAnswer>('knob_values', { study, family, ...chartedLines });
      return row as KnobValuesAnswer;
    },
  }),
];
