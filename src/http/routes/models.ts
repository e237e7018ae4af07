import Type, { type Static } from 'typebox';
import { UndefinedObject } from '../../errors/errors.ts';
import type { UsableModels } from '../predict/usable-models.ts';
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

async function versionsOf(role: SignedIn, model: string): Promise<[ModelVersionAnswer, ...ModelVersionAnswer[]]> {
  const [first, ...rest] = await role.call<ModelVersionAnswer>('models', { model, limit: 1000 });
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

interface DeployedVersion {
  version: number | null;
}
const deployed = ([row]: DeployedVersion[]): DeployedVersion => ({ version: row?.version ?? null });

const grantSchema = Type.Object({ model: Type.String(), role: Type.String() }, { $id: 'Grant' });
const grantParams = Type.Object({ ...modelParams.properties, role: Type.String({ minLength: 1, maxLength: 63 }) });
const grantBody = Type.Object({ role: grantParams.properties.role }, { additionalProperties: false });

export const modelRoutes = (models: UsableModels): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/models',
    tag,
    summary: 'The versions of the models that you may use',
    query: Type.Object({ ...pageQuery.properties, task: Type.Optional(nameSchema) }, { additionalProperties: false }),
    answer: Type.Object({ models: Type.Array(versionSchema) }),
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0, ...which } }) => ({
      models: await role.call<ModelVersionAnswer>('models', { ...which, limit, offset }),
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
      await role.call('drop_model', params);
      models.forgetNow();
      return { done: true };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/models/:model/versions/:version',
    tag,
    summary: 'Removes a version of a model of yours, as rafiki_drop_version',
    params: Type.Object({ ...modelParams.properties, version: Type.String({ pattern: '^[0-9]{1,9}$' }) }),
    answer: doneSchema,
    async handle({ role, params }) {
      await role.call('drop_version', params);
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
      const [file] = await role.call<{ b64: string }>('export', params);
      const bytes = Buffer.from(file?.b64 ?? '', 'base64');
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
    async handle({ role, params, body }) {
      const rows = await role.call<DeployedVersion>('deploy', { ...params, ...body });
      models.forgetNow();
      return deployed(rows);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/rollback',
    tag,
    summary: 'Deploys the version before, as rafiki_rollback',
    params: modelParams,
    answer: Type.Object({ version: nullable(Type.Integer()) }),
    async handle({ role, params }) {
      const rows = await role.call<DeployedVersion>('rollback', params);
      models.forgetNow();
      return deployed(rows);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/models/:model/undeploy',
    tag,
    summary: 'Stops answering, as rafiki_undeploy',
    params: modelParams,
    answer: doneSchema,
    async handle({ role, params }) {
      const [row] = await role.call<{ done: boolean }>('undeploy', params);
      models.forgetNow();
      return { done: row?.done ?? false };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/deployments',
    tag,
    summary: 'What is deployed, is being loaded, or was deployed before; newest first',
    query: Type.Object({ ...pageQuery.properties, model: Type.Optional(nameSchema) }, { additionalProperties: false }),
    answer: Type.Object({ deployments: Type.Array(deploymentSchema) }),
    handle: async ({ role, query: { limit = DEFAULT_PAGE, offset = 0, ...which } }) => ({
      deployments: await role.call<Static<typeof deploymentSchema>>('deployments', { ...which, limit, offset }),
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
      return { grants: await role.call<Static<typeof grantSchema>>('grants', params) };
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
      await role.call('grant', { ...params, ...body });
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
      const [row] = await role.call<{ done: boolean }>('revoke', params);
      models.forgetNow();
      return { done: row?.done ?? false };
    },
  }),
];
