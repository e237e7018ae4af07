import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UndefinedObject } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { version as ownVersion } from '../../runtime/version.ts';
import { challenge, requireRole } from '../app.ts';
import { errorAnswer, logFault } from '../error-answer.ts';
import { readiness } from '../health.ts';
import type { BridgePool } from '../predict/bridge-pool.ts';
import type { Predictions } from '../predict/predictions.ts';
import type { UsableModel } from '../predict/usable-models.ts';
import { predictionTerms } from '../routes/predict.ts';
import type { SignIns } from '../sign-in/sign-ins.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import { infer, inputHeads, outputHeads } from './answers.ts';
import { changeModel, repositoryIndex, statistics } from './repository.ts';
import { readInferRequest } from './tensors.ts';

export interface InferenceOptions {
  pool: BridgePool;
  predictions: Predictions;
  signIns: Pick<SignIns, 'of'>;
  logger: Logger;
}

interface ModelPath {
  model: string;
  version?: string;
}

const extensions = ['classification', 'statistics', 'model_repository'];
const server = { name: 'rafiki', version: ownVersion, extensions };
const MAX_SHOWN_CLASSES = 1000;

/** The Open Inference Protocol, version 2, and Triton's statistics and model repository: test/fixtures/open-inference. */
export function addInference(app: FastifyInstance, options: InferenceOptions): void {
  void app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => {
      sendText(error, reply);
      logFault(options.logger, { path: request.routeOptions.url, status: reply.statusCode, error });
    });
    const isReady = readiness(options.pool);
    scope.get('/v2/health/live', async () => ({ live: true }));
    scope.get('/v2/health/ready', async (_, reply) => {
      const ready = await isReady();
      return reply.code(ready ? 200 : 503).send({ live: true, ready });
    });
    for (const url of ['/v2', '/v2/']) scope.get(url, async () => server);
    void scope.register(async (own) => {
      own.addHook('onRequest', requireRole(options.signIns));
      addModels(own, options);
      addRepository(own);
    });
  });
}

/** An error as the protocol has it: one text, with what to do. */
function sendText(error: unknown, reply: FastifyReply): void {
  const { status, report, retryAfter } = errorAnswer(error);
  if (status === 401) void reply.header('www-authenticate', challenge);
  if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
  const parts = [report.message, report.detail, report.hint].filter((part) => part !== undefined);
  void reply.code(status).send({ error: parts.join(' — '), code: report.sqlstate });
}

const roleOf = (request: FastifyRequest): SignedIn => request.role as SignedIn;

function addModels(app: FastifyInstance, { predictions }: InferenceOptions): void {
  for (const prefix of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.get<{ Params: ModelPath }>(prefix, async (request) => {
      const model = await modelOf(predictions, request);
      return metadata(roleOf(request), model);
    });
    app.get<{ Params: ModelPath }>(`${prefix}/ready`, async (request, reply) => {
      const model = await modelOf(predictions, request);
      const ready = model.version !== null;
      const error = `no version of model "${model.name}" is deployed`;
      return reply.code(ready ? 200 : 503).send({ name: model.name, ready, ...(ready ? {} : { error }) });
    });
    app.get<{ Params: ModelPath }>(`${prefix}/stats`, async (request) => {
      const { name, version } = await modelOf(predictions, request);
      return statistics(roleOf(request), name, version);
    });
    app.post<{ Params: ModelPath }>(`${prefix}/infer`, async (request) => {
      const asked = readInferRequest(request.body);
      const { name } = await modelOf(predictions, request);
      const terms = predictionTerms(request);
      const { version, outputs } = await infer(predictions, { role: roleOf(request), name, request: asked, terms });
      return {
        model_name: name,
        ...(version === null ? {} : { model_version: String(version) }),
        ...(asked.id === undefined ? {} : { id: asked.id }),
        outputs,
      };
    });
  }
}

/** Throws for a version that is not the one that answers: only one does. */
async function modelOf(predictions: Predictions, request: FastifyRequest<{ Params: ModelPath }>): Promise<UsableModel> {
  const { model: name, version } = request.params;
  const model = await predictions.model(roleOf(request), name);
  if (version === undefined || version === String(model.version)) return model;
  throw new UndefinedObject(`version ${version.slice(0, 40)} of model "${name}" is not deployed`, {
    detail: model.version === null ? 'None is.' : `Version ${model.version} is.`,
  });
}

async function metadata(role: SignedIn, model: UsableModel): Promise<Record<string, unknown>> {
  const [row] = await role.call<{ classes: string[] }>('classes', { model: model.id, version: model.version });
  // in the order of the probabilities: that of the properties of an object
  const classes = Object.keys(Object.fromEntries((row?.classes ?? []).map((name) => [name, 0])));
  return {
    name: model.name,
    versions: model.version === null ? [] : [String(model.version)],
    platform: 'onnx_onnxruntime',
    inputs: inputHeads(model),
    outputs: outputHeads(model, row === undefined ? -1 : classes.length),
    properties: {
      task: model.task,
      ...(model.output === 'label' && classes.length <= MAX_SHOWN_CLASSES ? { classes: JSON.stringify(classes) } : {}),
    },
  };
}

function addRepository(app: FastifyInstance): void {
  app.post('/v2/repository/index', async (request) => {
    const { ready = false } = Object(request.body) as { ready?: unknown };
    return repositoryIndex(roleOf(request), ready === true);
  });
  for (const step of ['load', 'unload'] as const) {
    app.post<{ Params: ModelPath }>(`/v2/repository/models/:model/${step}`, async (request) => {
      await changeModel(roleOf(request), request.params.model, step);
      return {};
    });
  }
}
