import Type, { type Static } from 'typebox';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import { modelParams, nullableNumber, nullableText } from '../schemas.ts';

/** Rows that are predicted; images take longer. */
const SAMPLED = 2_000;
const SAMPLED_IMAGES = 400;
const MOST = 24;

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
    body: Type.Object(
      {
        source: Type.String({ maxLength: 200, description: 'a data set: table, or schema.table' }),
        target: Type.Optional(Type.String({ maxLength: 63 })),
        feature: Type.Optional(Type.String({ maxLength: 63 })),
      },
      { additionalProperties: false },
    ),
    answer: mistakesSchema,
    async handle({ role, params: { model }, body }) {
      const sql = `select m.* from rafiki._mistakes($1, rafiki._relation_named('source', $2), $3::name, $4::name,
        case rafiki._input_kind($1) when 'image' then ${SAMPLED_IMAGES} else ${SAMPLED} end, ${MOST}) m`;
      const given = [model, body.source, body.target ?? null, body.feature ?? null];
      const [row] = await role.rows<MistakesAnswer>(sql, given, longStatementMs);
      return row as MistakesAnswer;
    },
  }),
];
