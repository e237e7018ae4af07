import { readFileSync } from 'node:fs';
import OpenAPIResponseValidator from 'openapi-response-validator';
import { parse } from 'yaml';

interface Document {
  paths: Record<string, Record<string, { responses?: Record<string, unknown> }>>;
  components: unknown;
}

const document = parse(
  readFileSync(new URL('../fixtures/open-inference/open_inference_rest.yaml', import.meta.url), 'utf8'),
) as Document;

const Validator = ('default' in OpenAPIResponseValidator
  ? OpenAPIResponseValidator.default
  : OpenAPIResponseValidator) as unknown as new (
  args: object,
) => {
  validateResponse(status: string, body: unknown): { message: string; errors: object[] } | undefined;
};

const validators = new Map<string, InstanceType<typeof Validator>>();

/** What an outside validator objects to in an answer, by the published description of its path; undefined if nothing. */
export function deviation(
  method: 'get' | 'post',
  path: string,
  { status, body }: { status: number; body: unknown },
): unknown {
  const operation = document.paths[path]?.[method];
  if (operation?.responses === undefined) throw new Error(`${method} ${path} is not in the protocol`);
  const key = `${method} ${path}`;
  const known = validators.get(key);
  const validator = known ?? new Validator({ responses: operation.responses, components: document.components });
  validators.set(key, validator);
  const name = String(status) in operation.responses ? String(status) : `${String(status)[0]}XX`;
  if (!(name in operation.responses)) return `status ${status} is not in the protocol`;
  return validator.validateResponse(name, body);
}

export const protocolPaths = (): [method: 'get' | 'post', path: string][] =>
  Object.entries(document.paths).flatMap(([path, operations]) =>
    (['get', 'post'] as const)
      .filter((method) => method in operations)
      .map((method): ['get' | 'post', string] => [method, path]),
  );
