import type { TObject, TSchema } from 'typebox';
import { version } from '../runtime/version.ts';
import type { HttpRoute } from './route.ts';
import { errorSchema } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 document of these paths: its schemas are those that requests are validated by. */
export function openApi(routes: readonly HttpRoute[]): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
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
    security: [{ basic: [] }],
    paths,
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic', description: 'A Postgres role and its password' } },
    },
  };
}

function operation({ method, path, tag, summary, params, query, body, ...rest }: HttpRoute): Json {
  const { bodyTypes = ['application/json'], answer, answerType = 'application/json', status = 200 } = rest;
  const schema = plain(answer ?? { type: 'string', format: 'binary' });
  return {
    tags: [tag],
    summary,
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^a-z0-9]+/gi, '_')}`,
    parameters: [...parametersOf(params, 'path'), ...parametersOf(query, 'query')],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(bodyTypes.map((type) => [type, bodyOf(type, body)])),
          },
        }),
    responses: {
      [status]: { description: summary, content: { [answerType]: { schema } } },
      default: { description: 'Refused or failed', content: { 'application/json': { schema: plain(errorSchema) } } },
    },
  };
}

const bodyOf = (type: string, schema: TSchema): Json =>
  type === 'application/json' ? { schema: plain(schema) } : { schema: { type: 'string', format: 'binary' } };

function parametersOf(schema: TSchema | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const { properties, required = [] } = plain(schema) as { properties: TObject['properties']; required?: string[] };
  return Object.entries(properties).map(([name, its]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: its,
  }));
}

/** Only what JSON Schema has. An `$id` in a document that is put together would be a base for references. */
function plain(schema: unknown): Json {
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (key === '$id' ? undefined : value))) as Json;
}
