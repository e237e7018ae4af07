import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { InvalidParameter } from '../../errors/errors.ts';
import type { HttpLimits } from '../limits.ts';
import {
  latencyOf,
  type PredictedDetail,
  type Predictions,
  type PredictionTerms,
  type SentInputs,
} from '../predict/predictions.ts';
import type { UsableModel } from '../predict/usable-models.ts';
import { type HttpRoute, route } from '../route.ts';
import { modelParams, nullable } from '../schemas.ts';

const MAX_QUERIES = 1_000_000;
const imageTypes = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/gif',
  'image/avif',
  'image/tiff',
  'application/octet-stream',
];

/** A text; a row as an object of its columns; or an image file as {"b64": "…"}. */
export const querySchema = Type.Union([Type.String(), Type.Record(Type.String(), Type.Unknown()), Type.Null()]);

const predictBody = Type.Object(
  {
    query: Type.Optional(querySchema),
    queries: Type.Optional(Type.Array(querySchema, { maxItems: MAX_QUERIES })),
    detail: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

/** A label; a number; or the objects in an image. */
const predictionSchema = Type.Union([
  Type.String(),
  Type.Number(),
  Type.Array(Type.Record(Type.String(), Type.Unknown())),
  Type.Null(),
]);
const detailSchema = nullable(
  Type.Object(
    {
      label: Type.Optional(Type.String()),
      probabilities: Type.Optional(Type.Record(Type.String(), Type.Number())),
      number: Type.Optional(Type.Number()),
      boxes: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
      versions: Type.Array(Type.Integer()),
      batch: Type.Integer(),
      ms: Type.Number(),
      overdue: Type.Boolean(),
    },
    { $id: 'Detail' },
  ),
);
const answerSchema = Type.Object(
  {
    prediction: Type.Optional(predictionSchema),
    predictions: Type.Optional(Type.Array(predictionSchema)),
    detail: Type.Optional(detailSchema),
    details: Type.Optional(Type.Array(detailSchema)),
  },
  { $id: 'Prediction' },
);

const never = new AbortController().signal;

export const predictionTerms = ({ headers, role }: FastifyRequest): PredictionTerms => ({
  latency: latencyOf(headers),
  signal: role?.signal ?? never,
});

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** An input as the bridge reads it. Throws InvalidParameter for one of another kind. */
export function inputOfQuery({ input, name }: Pick<UsableModel, 'input' | 'name'>, query: unknown): string | null {
  if (query === null) return null;
  if (input === 'text' && typeof query === 'string') return query;
  if (input === 'columns' && typeof query === 'object') return JSON.stringify(query);
  const { b64 } = Object(query) as { b64?: unknown };
  if (input === 'image' && typeof b64 === 'string' && b64.length % 4 === 0 && base64.test(b64)) return b64;
  const wanted = {
    text: 'a text',
    columns: 'an object of its columns',
    image: 'an image file as {"b64": "…"}, in base64',
  };
  throw new InvalidParameter(`model "${name}" reads another kind of input`, { hint: `Send ${wanted[input]}.` });
}

/** An answer as JSON has it: a number is one, and boxes are a list. */
function readAnswer({ output }: Pick<UsableModel, 'output'>, answer: string | null) {
  if (answer === null || output === 'label') return answer;
  return JSON.parse(answer) as number | Record<string, unknown>[];
}

export const predictRoutes = (predictions: Predictions, { imageBytes }: HttpLimits): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/models/:model/predict',
    tag: 'predictions',
    summary: 'Predicts one query, or many; an image may be the body itself',
    params: modelParams,
    query: Type.Object({ detail: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
    body: predictBody,
    bodyTypes: ['application/json', ...imageTypes],
    bodyLimit: imageBytes,
    answer: answerSchema,
    async handle(asked) {
      const { role, params, query } = asked;
      const terms = predictionTerms(asked.request);
      const name = params.model;
      const body: unknown = asked.body;
      const given = Buffer.isBuffer(body)
        ? { query: { b64: body.toString('base64') }, detail: query.detail }
        : (body as { query?: unknown; queries?: unknown[]; detail?: boolean });
      if ((given.query === undefined) === (!('queries' in given) || given.queries === undefined)) {
        throw new InvalidParameter('a prediction needs either query or queries', {
          hint: 'Send {"query": …} or {"queries": […]}.',
        });
      }
      const found = predictions.model(role, name);
      const model = found instanceof Promise ? await found : found;
      const wantsDetail = given.detail ?? query.detail ?? false;
      if ('queries' in given && given.queries !== undefined) {
        const inputs: SentInputs = given.queries.map((each) => inputOfQuery(model, each));
        if (wantsDetail) {
          const details = await predictions.detailMany(role, name, inputs, terms);
          return { predictions: details.map(answerOf), details };
        }
        const labels = await predictions.predictMany(role, name, inputs, terms);
        return { predictions: labels.map((label) => readAnswer(model, label)) };
      }
      const input = inputOfQuery(model, given.query);
      if (input === null) return { prediction: null };
      if (!wantsDetail) return { prediction: readAnswer(model, await predictions.predict(role, name, input, terms)) };
      const [detail = null] = await predictions.detailMany(role, name, [input], terms);
      return { prediction: answerOf(detail), detail };
    },
  }),
];

/** The answer that the details are of. */
const answerOf = (detail: PredictedDetail | null) => detail?.label ?? detail?.number ?? detail?.boxes ?? null;
