import Type, { type Static } from 'typebox';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import { labelledRows } from '../routes/evaluation.ts';
import { modelParams, nullableNumber, nullableText } from '../schemas.ts';

/** Rows that are predicted, images, which take longer, and mistakes that are shown. */
const sample = { rows: 2_000, images: 400, most: 24 };

const mistakesSchema = Type.Object(
  {
    rows: Type.Integer({ description: 'labelled rows that were predicted' }),
    hits: Type.Integer({ description: 'those whose class is right' }),
    bins: Type.Array(
      Type.Object({
        place: Type.Integer({ description: 'tenth of the confidence' }),
        rows: Type.Integer(),
        hits: Type.Integer(),
        confidence: Type.Number({ description: 'the mean' }),
      }),
    ),
    pairs: Type.Array(Type.Array(nullableNumber), { description: 'numbers: actual and predicted' }),
    mistakes: Type.Array(
      Type.Object({
        actual: Type.String(),
        predicted: nullableText,
        fault: Type.Number({ description: 'how certain the wrong class was, or how far off the number' }),
        row: Type.Record(Type.String(), nullableText),
        image: nullableText,
      }),
    ),
  },
  { $id: 'Mistakes' },
);

export type MistakesAnswer = Static<typeof mistakesSchema>;

export const mistakeRoutes = ({ longStatementMs }: HttpLimits): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/models/:model/mistakes',
    tag: 'evaluation',
    summary:
      'What a model gets wrong, of a sample of labelled rows, and how its confidence compares with how often it is right',
    params: modelParams,
    body: labelledRows,
    answer: mistakesSchema,
    async handle({ role, params: { model }, body }) {
      const [row] = await role.call<MistakesAnswer>('mistakes', { model, ...body, ...sample }, longStatementMs);
      return row as MistakesAnswer;
    },
  }),
];
