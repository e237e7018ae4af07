import Type, { type Static } from 'typebox';
import { UndefinedObject } from '../../errors/errors.ts';
import { type HttpRoute, route } from '../route.ts';
import {
  DEFAULT_PAGE,
  doneSchema,
  modelParams,
  nameSchema,
  nullable,
  nullableNumber,
  nullableText,
  pageQuery,
} from '../schemas.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';

const tag = 'models';

const versionSchema = Type.Object(
  {
    model: Type.String(),
    version: Type.Integer(),
    task: Type.String(),
    owner: Type.String(),
    metric: nullableText,
    score: nullableNumber,
    low: nullableNumber,
    high: nullableNumber,
    classes: nullable(Type.Integer()),
    families: nullableText,
    deployment: nullableText,
    rule: nullableText,
  },
  { $id: 'Version' },
);
export type ModelVersionAnswer = Static<typeof versionSchema>;

const modelSchema = Type.Object(
  { model: Type.String(), task: Type.String(), owner: Type.String(), versions: Type.Array(versionSchema) },
  { $id: 'Model' },
);

export type ModelAnswer = Static<typeof modelSchema>;

const versionsSql = `
  select v.model, v.version, v.task, v.owner::text, v.metric, v.score, v.low, v.high, v.classes, v.families, v.deployment, v.rule from rafiki.models v`;

async function versionsOf(role: SignedIn, model: string): Promise<[ModelVersionAnswer, ...ModelVersionAnswer[]]> {
  const [first, ...rest] = await role.rows<ModelVersionAnswer>(`${versionsSql} where v.model = $1 limit 1000`, [model]);
  if (first !== undefined) return [first, ...rest];
  throw new UndefinedObject(`model "${model}" does not exist`, {
    detail: 'Or it belongs to another role that has not granted it to you.',
    hint: 'GET /v1/models lists those that you may use.',
  });
}

const deploymentSchema = Type.Object(
  { model: Type.String(), version: Type.Integer(), state: Type.String(), since: nullableText, error: nullableText },
  { $id: 'Deployment' },
);

/**
 * A call of a function about a model, perhaps with a version, whose result is one value. Its arguments have types: another role's
 * overload must not fit better.
 */
async function call<T>(
  role: SignedIn,
  name: string,
  values: readonly [model: string, version?: number | undefined],
): Promise<T | undefined> {
  const list = ['$1::text', '$2::int'].slice(0, values.length).join();
  const [row] = await role.rows<{ result: T }>(`select ${role.api}.${name}(${list}) as result`, values);
  return row?.result;
}

const grantSchema = Type.Object({ model: Type.String(), role: Type.String() }, { $id: 'Grant' });
const grantParams = Type.Object({ ...modelParams.properties, role: Type.String({ minLength: 1, maxLength: 63 }) });
const grantBody = Type.Object({ role: grantParams.properties.role }, { additionalProperties: false });

export const modelRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/models',
    tag,
    summary: 'The versions of the models that you may use',
    query: Type.Object({ ...pageQuery.properties, task: Type.Optional(nameSchema) }, { additionalProperties: false }),
    answer: Type.Object({ models: Type.Array(versionSchema) }),
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0, task = null } }) => ({
      models: await role.rows<ModelVersionAnswer>(
        `${versionsSql} where $3::text is null or v.task = $3 limit $1 offset $2`,
        [limit, offset, task],
      ),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/models/:model',
    tag,
    summary: 'One model with its versions',
    params: modelParams,
    answer: modelSchema,
    async handle({ role, params }) {
      const versions = await versionsOf(role, params.model);
      const [{ model, task, owner }] = versions;
      return { model, task, owner, versions };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/models/:model',
    tag,
    summary: 'Removes a model of yours, as rafiki_drop_model',
    params: modelParams,
    answer: doneSchema,
    async handle({ role, params }) {
      await call(role, 'rafiki_drop_model', [params.model]);
      return { done: true };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/models/:model/file',
    tag,
    summary: 'A model of yours as an ONNX file',
    params: modelParams,
    answerType: 'application/octet-stream',
    async handle({ role, params, reply }) {
      const bytes = await role.transaction(async (on) => {
        const [row] = await on.query<{ onnx: Buffer }>(`select ${role.api}.rafiki_export($1::text) as onnx`, [
          params.model,
        ]);
        return row?.onnx ?? Buffer.alloc(0);
      });
      void reply
        .type('application/octet-stream')
        .header('content-disposition', 'attachment; filename="model.onnx"')
        .send(bytes);
      return undefined;
    },
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/deploy',
    tag,
    summary: 'Deploys a version, as rafiki_deploy',
    params: modelParams,
    body: Type.Object({ version: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }) }, { additionalProperties: false }),
    answer: Type.Object({ version: nullable(Type.Integer()) }),
    handle: async ({ role, params, body }) => ({
      version: (await call<number>(role, 'rafiki_deploy', [params.model, body.version])) ?? null,
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/rollback',
    tag,
    summary: 'Deploys the version before, as rafiki_rollback',
    params: modelParams,
    answer: Type.Object({ version: nullable(Type.Integer()) }),
    handle: async ({ role, params }) => ({
      version: (await call<number>(role, 'rafiki_rollback', [params.model])) ?? null,
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/undeploy',
    tag,
    summary: 'Stops answering, as rafiki_undeploy',
    params: modelParams,
    answer: doneSchema,
    handle: async ({ role, params }) => ({
      done: (await call<boolean>(role, 'rafiki_undeploy', [params.model])) ?? false,
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/deployments',
    tag,
    summary: 'What is deployed, is being loaded, or was deployed before; newest first',
    query: Type.Object({ ...pageQuery.properties, model: Type.Optional(nameSchema) }, { additionalProperties: false }),
    answer: Type.Object({ deployments: Type.Array(deploymentSchema) }),
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0, model = null } }) => ({
      deployments: await role.rows<Static<typeof deploymentSchema>>(
        'select d.* from rafiki.deployments d where $3::text is null or d.model = $3 limit $1 offset $2',
        [limit, offset, model],
      ),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/models/:model/grants',
    tag,
    summary: 'Roles that may use a model',
    params: modelParams,
    answer: Type.Object({ grants: Type.Array(grantSchema) }),
    async handle({ role, params }) {
      await versionsOf(role, params.model);
      const sql = `select m.name as model, g.role::text as role from rafiki.model_grant g join rafiki.model m on m.id = g.model_id
        where m.name = $1 order by 2 limit 1000`;
      return { grants: await role.rows<Static<typeof grantSchema>>(sql, [params.model]) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/grants',
    tag,
    summary: 'Lets a role use a model of yours, as rafiki_grant',
    params: modelParams,
    body: grantBody,
    answer: grantSchema,
    status: 201,
    async handle({ role, params, body }) {
      await role.rows(`select ${role.api}.rafiki_grant($1::text, quote_ident($2)::regrole)`, [params.model, body.role]);
      return { model: params.model, role: body.role };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/models/:model/grants/:role',
    tag,
    summary: 'Ends that, as rafiki_revoke',
    params: grantParams,
    answer: doneSchema,
    async handle({ role, params }) {
      const sql = `select ${role.api}.rafiki_revoke($1::text, quote_ident($2)::regrole) as done`;
      const [row] = await role.rows<{ done: boolean }>(sql, [params.model, params.role]);
      return { done: row?.done ?? false };
    },
  }),
];
