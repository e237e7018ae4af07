/** A JSON Schema, as the OpenAPI document has it. */
interface JsonSchema {
  $ref?: string;
  anyOf?: JsonSchema[];
  const?: string | number | boolean;
  type?: string;
  description?: string;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  required?: string[];
}

/** src/client/api.ts: the types of what the paths take and answer, from the components of the OpenAPI document. */
export function clientTypes({ components }: { components: { schemas: Record<string, JsonSchema> } }): string {
  const names = Object.keys(components.schemas).sort();
  const members = names.map((name) => `  ${name}: ${typeOf(components.schemas[name] ?? {}, '  ')};`);
  return `/**
 * What requests take and answers have, by the names of /openapi.json. Generated from it: vitest run --project pg18
 * test/pg/client.test.ts --update=all
 */
export interface RafikiApi {
${members.join('\n')}
}
`;
}

function typeOf(schema: JsonSchema, indent: string): string {
  const { $ref, anyOf, type, items = {}, properties, patternProperties, required = [] } = schema;
  if ($ref !== undefined) return `RafikiApi['${$ref.slice('#/components/schemas/'.length)}']`;
  if (anyOf !== undefined) return anyOf.map((each) => typeOf(each, indent)).join(' | ');
  if (schema.const !== undefined) return typeof schema.const === 'string' ? `'${schema.const}'` : String(schema.const);
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'string' || type === 'boolean' || type === 'null') return type;
  if (type === 'array') {
    const each = typeOf(items, indent);
    return items.anyOf !== undefined ? `(${each})[]` : `${each}[]`;
  }
  const [values] = Object.values(patternProperties ?? {});
  if (values !== undefined) return `Record<string, ${typeOf(values, indent)}>`;
  if (properties === undefined) return 'unknown';
  const inner = `${indent}  `;
  const lines = Object.entries(properties).flatMap(([name, its]) => [
    ...(its.description === undefined ? [] : [`${inner}/** ${its.description} */`]),
    `${inner}${name}${required.includes(name) ? '' : '?'}: ${typeOf(its, inner)};`,
  ]);
  return `{\n${lines.join('\n')}\n${indent}}`;
}
