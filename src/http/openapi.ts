import type { TObject, TSchema } from 'typebox';
import { version } from '../runtime/version.ts';
import type { HttpRoute } from './route.ts';
import { errorSchema } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 document of these paths: its schemas are those that requests are validated by. */
export function openApi(routes: readonly HttpRoute[]): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Components = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rafiki',
      version,
      description:
        'Machine learning as a service inside PostgreSQL. Every request acts as a Postgres role, with its rights.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ basic: [] }, { token: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic', description: 'A Postgres role and its password' },
        token: { type: 'http', scheme: 'bearer', description: 'A token of rafiki_create_token' },
      },
    },
  };
}

/** Schemas with an `$id`, by it. */
type Components = Record<string, unknown>;

function operation({ method, path, tag, params, query, body, ...rest }: HttpRoute, schemas: Components): Json {
  const {
    summary,
    needsPassword = false,
    bodyTypes = ['application/json'],
    answer,
    answerType = 'application/json',
    status = 200,
  } = rest;
  const schema = plain(answer ?? { type: 'string', format: 'binary' }, schemas);
  return {
    tags: [tag],
    summary,
    ...(needsPassword ? { security: [{ basic: [] }], description: 'With a token: 403.' } : {}),
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^a-z0-9]+/gi, '_')}`,
    parameters: [...parametersOf(params, 'path', schemas), ...parametersOf(query, 'query', schemas)],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(bodyTypes.map((type) => [type, bodyOf(type, body, schemas)])),
          },
        }),
    responses: {
      [status]: { description: summary, content: { [answerType]: { schema } } },
      default: {
        description: 'Refused or failed',
        content: { 'application/json': { schema: plain(errorSchema, schemas) } },
      },
    },
  };
}

const bodyOf = (type: string, schema: TSchema, schemas: Components): Json =>
  type === 'application/json' ? { schema: plain(schema, schemas) } : { schema: { type: 'string', format: 'binary' } };

function parametersOf(schema: TSchema | undefined, place: 'path' | 'query', schemas: Components): Json[] {
  if (schema === undefined) return [];
  const { properties, required = [] } = plain(schema, schemas) as {
    properties: TObject['properties'];
    required?: string[];
  };
  return Object.entries(properties).map(([name, its]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: its,
  }));
}

/** Only what JSON Schema has. A schema with an `$id` becomes a component, and a reference to it. */
function plain(schema: unknown, schemas: Components): unknown {
  if (Array.isArray(schema)) return schema.map((each) => plain(each, schemas));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id, ...rest } = schema as Record<string, unknown>;
  const converted = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, plain(value, schemas)]));
  if (typeof $id !== 'string') return converted;
  schemas[$id] = converted;
  return { $ref: `#/components/schemas/${$id}` };
}
