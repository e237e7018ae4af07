import Type, { type Static } from 'typebox';
import { UndefinedObject } from '../../errors/errors.ts';
import type { Predictions } from '../predict/predictions.ts';
import { type HttpRoute, route } from '../route.ts';
import { inputOfQuery, predictionTerms, querySchema } from '../routes/predict.ts';
import { modelParams, nullable, nullableNumber, nullableText } from '../schemas.ts';

const tag = 'models';

const inputsSchema = Type.Object(
  {
    task: Type.String(),
    input: Type.Union([Type.Literal('text'), Type.Literal('image'), Type.Literal('columns')]),
    output: Type.Union([Type.Literal('label'), Type.Literal('number'), Type.Literal('boxes')]),
    version: nullable(Type.Integer({ description: 'the one that answers' })),
    owned: Type.Boolean({ description: 'whether the role may deploy, undeploy and export it' }),
    columns: Type.Array(Type.Object({ name: Type.String(), kind: Type.String() })),
    classes: nullable(Type.Array(Type.String())),
    feature: nullable(Type.String({ description: 'the column of texts or images that it learnt from' })),
    source: nullableText,
    validation_source: nullableText,
    target: nullableText,
    members: Type.Array(
      Type.Object({
        version: Type.Integer(),
        study: nullable(Type.Integer()),
        trial: nullable(Type.Integer()),
        rank: Type.Integer(),
        family: Type.String(),
        precision: Type.String(),
        score: nullableNumber,
        weight: nullableNumber,
      }),
    ),
  },
  { $id: 'ModelInputs' },
);

export type ModelInputsAnswer = Static<typeof inputsSchema>;

const contributionSchema = Type.Object({
  feature: Type.String(),
  value: Type.Optional(Type.String({ description: 'the words, of a text' })),
  contribution: Type.Number(),
  x: Type.Optional(Type.Number()),
  y: Type.Optional(Type.Number()),
  w: Type.Optional(Type.Number()),
  h: Type.Optional(Type.Number()),
});

const explanationSchema = Type.Object(
  {
    class: nullableText,
    score: Type.Number(),
    base: Type.Number(),
    contributions: Type.Array(contributionSchema),
  },
  { $id: 'Explanation' },
);

export type ExplanationAnswer = Static<typeof explanationSchema>;

export const modelInputRoutes = (predictions: Predictions): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/models/:model/inputs',
    tag,
    summary: 'What a model reads, which classes it knows, and of which networks its versions are',
    params: modelParams,
    answer: inputsSchema,
    async handle({ role, params: { model } }) {
      const [found] = await role.call<ModelInputsAnswer>('model_inputs', { model });
      if (found !== undefined) return found;
      throw new UndefinedObject(`model "${model}" does not exist`, {
        detail: 'Or it belongs to another role that has not granted it to you.',
        hint: 'GET /v1/models lists those that you may use.',
      });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/explain',
    tag: 'predictions',
    summary: 'What each part of an input adds to the answer, as rafiki_explain_detail',
    params: modelParams,
    body: Type.Object(
      { query: querySchema, class: Type.Optional(Type.String({ maxLength: 1000 })) },
      { additionalProperties: false },
    ),
    answer: nullable(explanationSchema),
    async handle(asked) {
      const { role, params, body } = asked;
      const input = inputOfQuery(await predictions.model(role, params.model), body.query);
      if (input === null) return null;
      const explained = await predictions.explain(
        role,
        params.model,
        { input, about: body.class },
        predictionTerms(asked.request),
      );
      return explained as ExplanationAnswer | null;
    },
  }),
];
