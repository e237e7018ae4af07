import { Readable } from 'node:stream';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { InvalidParameter } from '../errors/errors.ts';

const MAX_REASONS = 3;
const parts: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
};

/** Checks a part of a request by its schema. A query has only texts, which become numbers and booleans first. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const validator = Compile(schema);
  return (data: unknown) => {
    if (httpPart === 'body' && (Buffer.isBuffer(data) || data instanceof Readable)) return { value: data }; // a file
    const value = httpPart === 'querystring' ? Value.Convert(schema, { ...(data as object) }) : data;
    if (validator.Check(value)) return { value };
    return { error: invalid(httpPart, validator.Errors(value)) };
  };
};

function invalid(httpPart: string, errors: readonly { instancePath: string; message: string }[]): InvalidParameter {
  const reasons = errors.slice(0, MAX_REASONS).map(({ instancePath, message }) => `${instancePath || 'it'} ${message}`);
  return new InvalidParameter(`the ${parts[httpPart] ?? httpPart} of the request is not valid`, {
    detail: reasons.join('; ').slice(0, 500),
    hint: 'GET /openapi.json describes it.',
  });
}
