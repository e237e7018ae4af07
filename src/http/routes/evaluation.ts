import Type, { type Static } from 'typebox';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import { modelParams, nullableNumber, nullableText } from '../schemas.ts';

const tag = 'evaluation';

export const labelledRows = Type.Object(
  {
    source: Type.String({ maxLength: 200, description: 'a data set: table, or schema.table' }),
    target: Type.Optional(Type.String({ maxLength: 63 })),
    feature: Type.Optional(Type.String({ maxLength: 63 })),
  },
  { $id: 'LabelledRows', additionalProperties: false },
);

const metricSchema = Type.Object(
  { metric: Type.String(), value: nullableNumber, low: nullableNumber, high: nullableNumber },
  { $id: 'Metric' },
);
const confusionSchema = Type.Object(
  { actual: nullableText, predicted: nullableText, row_count: Type.Integer() },
  { $id: 'ConfusionCell' },
);
const classSchema = Type.Object(
  { label: nullableText, row_count: Type.Integer(), ...metricSchema.properties },
  { $id: 'ClassScore' },
);
export type MetricAnswer = Static<typeof metricSchema>;
export type ConfusionAnswer = Static<typeof confusionSchema>;

export const evaluationRoutes = ({ longStatementMs: statementMs }: HttpLimits): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/models/:model/evaluate',
    tag,
    summary: 'Scores on labelled rows with confidence intervals, as rafiki_evaluate',
    params: modelParams,
    body: labelledRows,
    answer: Type.Object({ metrics: Type.Array(metricSchema) }),
    handle: async ({ role, params, body }) => ({
      metrics: await role.call<Static<typeof metricSchema>>('evaluate', { ...params, ...body }, statementMs),
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
    handle: async ({ role, params, body }) => ({
      cells: await role.call<Static<typeof confusionSchema>>('confusion', { ...params, ...body }, statementMs),
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
    handle: async ({ role, params, body }) => ({
      classes: await role.call<Static<typeof classSchema>>('class_report', { ...params, ...body }, statementMs),
    }),
  }),
];
