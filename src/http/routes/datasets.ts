import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { InvalidParameter, UndefinedObject } from '../../errors/errors.ts';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import { DEFAULT_PAGE, doneSchema, nullableText, pageQuery } from '../schemas.ts';
import { append, type UploadedFile, type UploadFormat, upload } from '../upload/upload.ts';

const tag = 'data sets';

const datasetSchema = Type.Object(
  {
    name: Type.String({ description: 'as other paths take it' }),
    schema: Type.String(),
    table: Type.String(),
    kind: Type.Union([Type.Literal('table'), Type.Literal('view')]),
    owned: Type.Boolean({ description: 'whether the role may drop it' }),
    rows: Type.Number({ description: 'an estimate; -1: not known yet' }),
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    comment: nullableText,
  },
  { $id: 'Dataset' },
);

export type DatasetAnswer = Static<typeof datasetSchema>;

const MAX_NAME = 130;
const datasetParams = Type.Object({ dataset: Type.String({ minLength: 1, maxLength: MAX_NAME }) });
/** Names without quotes, so that SQL reads them as they are written. */
const newName = '^[a-z_][a-z0-9_]{0,62}$';
const formats: Readonly<Record<string, UploadFormat>> = {
  'text/csv': 'csv',
  'application/x-ndjson': 'json-lines',
  'application/jsonl': 'json-lines',
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
  'application/zip': 'zip',
  'application/x-zip-compressed': 'zip',
};

/** Of the routes that take a file. */
const filePart = ({ uploadBytes }: HttpLimits) => ({
  body: Type.Unsafe<Readable | Buffer>({}),
  bodyTypes: Object.keys(formats),
  bodyLimit: uploadBytes,
  answer: Type.Object(
    { dataset: Type.String(), rows: Type.Integer(), columns: datasetSchema.properties.columns },
    { $id: 'Upload' },
  ),
  status: 201,
});

function fileOf(body: Readable | Buffer, { headers }: FastifyRequest, limits: HttpLimits): UploadedFile {
  if (!(body instanceof Readable || Buffer.isBuffer(body))) {
    throw new InvalidParameter('the request has no file', {
      hint: `Send the file as the body, with its content type: ${Object.keys(formats).join(', ')}.`,
    });
  }
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  return {
    body,
    format: formats[type.trim().toLowerCase()] ?? 'csv',
    maxBytes: limits.uploadBytes,
    maxIdleMs: limits.requestMs,
    maxImageBytes: limits.imageBytes,
    statementMs: limits.longStatementMs,
  };
}

export const datasetRoutes = (limits: HttpLimits): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/datasets',
    tag,
    summary: 'Tables and views that the role may read',
    query: pageQuery,
    answer: Type.Object({ datasets: Type.Array(datasetSchema) }),
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0 } }) => ({
      datasets: await role.call<DatasetAnswer>('datasets', { limit, offset }),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/datasets/:dataset',
    tag,
    summary: 'One of them',
    params: datasetParams,
    answer: datasetSchema,
    async handle({ role, params: { dataset } }) {
      const [found] = await role.call<DatasetAnswer>('datasets', { dataset });
      if (found !== undefined) return found;
      throw new UndefinedObject(`data set "${dataset}" does not exist`, {
        hint: 'GET /v1/datasets lists those that you may read.',
      });
    },
  }),
  route({
    method: 'POST',
    path: '/v1/datasets/:dataset',
    tag,
    summary:
      'Uploads CSV with a header, JSON lines, Parquet, or a zip of images with labels, as a new table of the role',
    needsPassword: true,
    params: Type.Object({ dataset: Type.String({ pattern: newName }) }),
    query: Type.Object({ schema: Type.Optional(Type.String({ pattern: newName })) }, { additionalProperties: false }),
    ...filePart(limits),
    handle: ({ role, params: { dataset: table }, query: { schema }, body, request }) =>
      upload(role, { schema, table }, fileOf(body, request, limits)),
  }),
  route({
    method: 'POST',
    path: '/v1/datasets/:dataset/rows',
    tag,
    summary: 'Appends the rows of such a file to a table, all or none; its columns have the names of the table’s',
    needsPassword: true,
    params: datasetParams,
    ...filePart(limits),
    handle: ({ role, params: { dataset }, body, request }) => append(role, dataset, fileOf(body, request, limits)),
  }),
  route({
    method: 'DELETE',
    path: '/v1/datasets/:dataset',
    tag,
    summary: 'Drops a table of the role',
    needsPassword: true,
    params: datasetParams,
    answer: doneSchema,
    async handle({ role, params: { dataset } }) {
      await role.transaction(async (on) => {
        const [row] = await on.query<{ statement: string }>(
          `select format('drop %s %s restrict', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
             else 'table' end, c.oid::regclass) as statement from pg_class c where c.oid = rafiki._relation_named('dataset', $1)`,
          [dataset],
        );
        await on.query(row?.statement ?? '');
      });
      return { done: true };
    },
  }),
];
