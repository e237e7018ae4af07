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
  const isOfTexts = httpPart === 'querystring';
  return (data: unknown) => {
    if (httpPart === 'body' && (Buffer.isBuffer(data) || data instanceof Readable)) return { value: data }; // a file
    const given = isOfTexts && Object.keys(data as object).length > 0; // most requests have no query
    const value = given ? Value.Convert(schema, { ...(data as object) }) : data;
    if (validator.Check(value)) return { value };
    return { error: invalid(httpPart, validator.Errors(value)) };
  };
};

interface SchemaFault {
  instancePath: string;
  message: string;
  keyword?: string;
  params?: object;
}

/** Of one that must be one of several constants, all of these are one reason. */
function reasonsOf(faults: readonly SchemaFault[]): string[] {
  const choices = new Map<string, string[]>();
  for (const { instancePath, params } of faults)
    if (params !== undefined && 'allowedValue' in params)
      choices.set(instancePath, [...(choices.get(instancePath) ?? []), String(params.allowedValue)]);
  const others = faults.filter(({ instancePath }) => !choices.has(instancePath));
  return [
    ...[...choices].map(([place, values]) => `${place || 'it'} must be one of ${values.join(', ')}`),
    ...others.map(({ instancePath, message }) => `${instancePath || 'it'} ${message}`),
  ];
}

function invalid(httpPart: string, errors: readonly SchemaFault[]): InvalidParameter {
  const reasons = reasonsOf(errors).slice(0, MAX_REASONS);
  return new InvalidParameter(`the ${parts[httpPart] ?? httpPart} of the request is not valid`, {
    detail: reasons.join('; ').slice(0, 500),
    hint: 'GET /openapi.json describes it.',
  });
}
