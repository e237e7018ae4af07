import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { apiSchema } from '../db/api-schema.ts';
import type { Database } from '../db/database.ts';
import { Heartbeat } from '../db/heartbeat.ts';
import { Listener } from '../db/listener.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { MeasuredService } from '../runtime/measured.ts';
import type { Service } from '../runtime/service.ts';
import { readTlsFiles, type TlsFiles } from '../runtime/tls-files.ts';
import { AnswerCounts } from './answer-counts.ts';
import { addRoutes, createApp } from './app.ts';
import { chartRoutes } from './charts/routes.ts';
import { addDashboard } from './dashboard.ts';
import { FairGate } from './fair-gate.ts';
import { addHealth } from './health.ts';
import { addInference } from './inference/routes.ts';
import { defaultHttpLimits, type HttpLimits } from './limits.ts';
import { openApi } from './openapi.ts';
import { BridgePool } from './predict/bridge-pool.ts';
import { Predictions } from './predict/predictions.ts';
import { UsableModels } from './predict/usable-models.ts';
import type { HttpRoute } from './route.ts';
import { Changed } from './routes/changed.ts';
import { datasetRoutes } from './routes/datasets.ts';
import { evaluationRoutes } from './routes/evaluation.ts';
import { eventRoutes, Streams } from './routes/events.ts';
import { modelRoutes } from './routes/models.ts';
import { predictRoutes } from './routes/predict.ts';
import { serviceRoutes } from './routes/service.ts';
import { sessionRoutes } from './routes/session.ts';
import { studyRoutes } from './routes/studies.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { trialRoutes } from './routes/trials.ts';
import { addPageSessions } from './sign-in/page-sessions.ts';
import { PageSessions } from './sign-in/sessions.ts';
import { SignIns } from './sign-in/sign-ins.ts';
import { traceRequests } from './traces.ts';

export interface CreateHttpOptions {
  /** The service's sessions: for the list of servers and their secret. What a request reads, it reads as its role. */
  database: Database;
  /** Of rafiki_reader, as which the calls of tokens are made, if it has another password or address than the service. */
  readerUrl?: string | undefined;
  host: string;
  port: number;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
  /** Where browsers find it, if a proxy is in front of it. */
  origin?: string | undefined;
  /** Addresses or networks of proxies whose X-Forwarded-For is believed. */
  proxies?: readonly string[] | undefined;
  corsOrigins?: readonly string[] | undefined;
  logsRequests?: boolean | undefined;
  limits?: HttpLimits;
  logger: Logger;
}

export interface HttpServer extends Service, MeasuredService {
  /** Available after start. */
  url(): string;
}

const STOP_MS = 5_000;
const modelChannel = 'rafiki_deployment';
const studyChannels = ['rafiki_study', 'rafiki_study_end', 'rafiki_trial', 'rafiki_report'];

/** REST and the Open Inference Protocol, for Postgres roles. */
export function createHttp(options: CreateHttpOptions): HttpServer {
  const { database, logger, limits = defaultHttpLimits } = options;
  const pool = new BridgePool({ database, logger });
  const models = new UsableModels(systemClock);
  const changed = new Changed();
  const stopping = new AbortController();
  const listener = new Listener({
    url: database.url,
    channels: [modelChannel, ...studyChannels],
    onNotify(channel, payload) {
      if (channel === modelChannel) models.forgetAll();
      else changed.notify(payload);
    },
    onConnect() {
      models.forgetAll();
      changed.notifyAll();
    },
    logger,
  });
  const answers = new AnswerCounts();
  const heartbeat = new Heartbeat({ database, kind: 'http', logger });
  let app: FastifyInstance | undefined;
  let signIns: SignIns | undefined;

  return {
    async start() {
      const tls = await tlsOf(options);
      const api = await apiSchema(database);
      signIns = new SignIns({ database, readerUrl: options.readerUrl, api, limits, clock: systemClock, logger });
      const { origin, proxies, corsOrigins = [], logsRequests } = options;
      const isTls = tls !== undefined || isHttps(origin);
      app = createApp({ tls, isTls, origin, proxies, corsOrigins, logsRequests, limits, logger });
      traceRequests(app);
      const sessions = new PageSessions(limits, systemClock);
      addPageSessions(app, sessions, { isTls, origin });
      const gate = new FairGate({
        what: 'predictions',
        places: limits.predictions,
        placesOfRole: limits.predictionsOfRole,
        waitingOfRole: limits.waitingPredictions,
      });
      const predictions = new Predictions({ pool, models, gate });
      const routes: HttpRoute[] = [
        ...serviceRoutes(),
        ...tokenRoutes(),
        ...datasetRoutes(limits),
        ...studyRoutes(limits),
        ...eventRoutes({
          ...{ changed, streams: new Streams(limits), stopping: stopping.signal, logger },
          ...{ signIns, recheckMs: limits.signInRefreshMs },
        }),
        ...trialRoutes(),
        ...modelRoutes(models),
        ...predictRoutes(predictions, limits),
        ...evaluationRoutes(limits),
        ...sessionRoutes(sessions, isTls),
        ...chartRoutes(predictions, limits),
      ];
      const document = openApi(routes);
      answers.count(app);
      addRoutes(app, routes, signIns);
      addHealth(app, { pool, document });
      addInference(app, { signIns, predictions, pool, logger });
      addDashboard(app, logger);
      await pool.start();
      await listener.start();
      await listen(app, options);
      await heartbeat.start();
    },
    async stop() {
      stopping.abort();
      await heartbeat.stop();
      const closing = app?.close();
      const timer = setTimeout(() => app?.server.closeAllConnections(), STOP_MS);
      await closing;
      clearTimeout(timer);
      await listener.stop();
      await pool.stop();
      await signIns?.stop();
    },
    measured: () => answers.measured(),
    url() {
      const address = app?.server.address() as AddressInfo | undefined;
      const { host, tlsCert } = options;
      return `${tlsCert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address?.port ?? options.port}`;
    },
  };
}

const isHttps = (origin: string | undefined): boolean => origin?.startsWith('https://') ?? false;

async function tlsOf({ tlsCert, tlsKey, host, origin, logger }: CreateHttpOptions): Promise<TlsFiles | undefined> {
  if (tlsCert !== undefined && tlsKey !== undefined) return readTlsFiles(tlsCert, tlsKey);
  if (tlsCert !== undefined || tlsKey !== undefined) {
    throw new EnvironmentUnfit('TLS needs a certificate and its key', {
      hint: 'Set both RAFIKI_HTTP_TLS_CERT and RAFIKI_HTTP_TLS_KEY.',
    });
  }
  if (!['127.0.0.1', '::1', 'localhost'].includes(host) && !isHttps(origin)) {
    logger.warn({ host }, 'passwords are sent in the clear, unless a proxy in front of this server speaks TLS');
  }
  return undefined;
}

async function listen(app: FastifyInstance, { host, port }: CreateHttpOptions): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw new EnvironmentUnfit(`the HTTP server cannot listen on ${host}:${port}`, {
      detail: (cause as Error).message,
      hint: 'Choose another port: --http-port N.',
      cause,
    });
  }
}
