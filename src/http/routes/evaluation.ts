import Type, { type Static } from 'typebox';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import { modelParams, nullableNumber, nullableText } from '../schemas.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import { relationOf } from './relations.ts';

const tag = 'evaluation';

const labelledRows = Type.Object(
  {
    source: Type.String({ maxLength: 200, description: 'a data set: table, or schema.table' }),
    target: Type.Optional(Type.String({ maxLength: 63 })),
    feature: Type.Optional(Type.String({ maxLength: 63 })),
  },
  { additionalProperties: false },
);

const metricSchema = Type.Object({
  metric: Type.String(),
  value: nullableNumber,
  low: nullableNumber,
  high: nullableNumber,
});
const confusionSchema = Type.Object({ actual: nullableText, predicted: nullableText, row_count: Type.Integer() });
export type MetricAnswer = Static<typeof metricSchema>;
export type ConfusionAnswer = Static<typeof confusionSchema>;

const classSchema = Type.Object({ label: nullableText, row_count: Type.Integer(), ...metricSchema.properties });

/** The rows of a function that measures a model on labelled rows. */
async function measure<Row>(
  role: SignedIn,
  {
    name,
    model,
    body,
    statementMs,
  }: { name: string; model: string; body: Static<typeof labelledRows>; statementMs: number },
): Promise<Row[]> {
  const source = await relationOf(role, body.source);
  const sql = `select e.* from ${role.api}.${name}(model => $1::text, source => $2::oid::regclass, target => $3::name, feature => $4::name) e limit 100000`;
  return role.rows<Row>(sql, [model, source, body.target ?? null, body.feature ?? null], statementMs);
}

export const evaluationRoutes = ({ longStatementMs: statementMs }: HttpLimits): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/models/:model/evaluate',
    tag,
    summary: 'Scores on labelled rows with confidence intervals, as rafiki_evaluate',
    params: modelParams,
    body: labelledRows,
    answer: Type.Object({ metrics: Type.Array(metricSchema) }),
    handle: async ({ role, params: { model }, body }) => ({
      metrics: await measure<Static<typeof metricSchema>>(role, { name: 'rafiki_evaluate', model, body, statementMs }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/confusion',
    tag,
    summary: 'The confusion matrix on labelled rows, as rafiki_confusion',
    params: modelParams,
    body: labelledRows,
    answer: Type.Object({ cells: Type.Array(confusionSchema) }),
    handle: async ({ role, params: { model }, body }) => ({
      cells: await measure<Static<typeof confusionSchema>>(role, {
        name: 'rafiki_confusion',
        model,
        body,
        statementMs,
      }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/class_report',
    tag,
    summary: 'Scores of each class, as rafiki_class_report',
    params: modelParams,
    body: labelledRows,
    answer: Type.Object({ classes: Type.Array(classSchema) }),
    handle: async ({ role, params: { model }, body }) => ({
      classes: await measure<Static<typeof classSchema>>(role, {
        name: 'rafiki_class_report',
        model,
        body,
        statementMs,
      }),
    }),
  }),
];
