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
    columns: Type.Array(Type.Object({ name: Type.String(), kind: Type.String() })),
    classes: nullable(Type.Array(Type.String())),
    source: nullableText,
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

/** Members are those of the newest versions; the source is that of the study, if the role may see it. */
const inputsSql = `
  select t.name as task, t.input, t.output, a.version,
    coalesce((select json_agg(json_build_object('name', f.name, 'kind', f.kind) order by f.n)
      from rafiki._model_reads(m.name) r, rows from (unnest(r.features), unnest(r.kinds)) with ordinality f (name, kind, n) where t.input = 'columns'), '[]') as columns,
    (select c.classes from rafiki.version_classes c where c.id = v.id) as classes,
    c.oid::regclass::text as source, s.target,
    coalesce((select json_agg(json_build_object('version', o.version, 'study', o.study_id, 'trial', r.number, 'rank', b.rank, 'family', b.family,
        'precision', b.precision, 'score', round(b.score::numeric, 4), 'weight', round(b.weight::numeric, 3)) order by o.version desc, b.rank)
      from (select o.id, o.version, o.study_id from rafiki.model_version o where o.model_id = m.id order by o.version desc limit 50) o
        join rafiki.model_member b on b.version_id = o.id left join rafiki.trial r on r.id = b.trial_id), '[]') as members
  from rafiki.model m join rafiki.task t on t.name = m.task
    left join rafiki._answering_version(m.name) a on true
    left join lateral (select w.id, w.study_id, w.version from rafiki.model_version w where w.model_id = m.id order by w.id = a.id desc nulls last, w.version desc limit 1) v on true
    left join rafiki.study s on s.id = v.study_id
    left join pg_class c on c.oid = coalesce(s.validation_source, s.source) and has_schema_privilege(c.relnamespace, 'usage')
  where m.name = $1`;

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
      const [found] = await role.rows<ModelInputsAnswer>(inputsSql, [model]);
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
