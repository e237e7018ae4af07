import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { RequestTooLarge } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TlsFiles } from '../runtime/tls-files.ts';
import { logRequests } from './access-log.ts';
import { acceptFiles, checkType, shareMemory } from './bodies.ts';
import { onClientError } from './client-errors.ts';
import { compress } from './compress.ts';
import { errorBody, HttpRefusal, logFault } from './error-answer.ts';
import { parseJson } from './json-body.ts';
import { KnownPaths } from './known-paths.ts';
import type { HttpLimits } from './limits.ts';
import type { HttpRoute } from './route.ts';
import { PAGE_KEY } from './sign-in/page-sessions.ts';
import type { SignIns } from './sign-in/sign-ins.ts';
import type { SignedIn } from './sign-in/signed-in.ts';
import { closeUnread, shareAnswerMemory } from './unread-answers.ts';
import { validatorCompiler } from './validate.ts';

export interface AppOptions {
  tls: TlsFiles | undefined;
  /** Whether clients reach it by TLS: its own, or that of a proxy. */
  isTls?: boolean;
  /** Where browsers find it, if a proxy is in front of it. */
  origin?: string | undefined;
  /** Addresses or networks of proxies whose X-Forwarded-For is believed. */
  proxies?: readonly string[] | undefined;
  /** Web pages of these origins may use the server: scheme, host and port; none by default. */
  corsOrigins: readonly string[];
  /** Whether each request is a line of the log; default: false. */
  logsRequests?: boolean | undefined;
  signIns: SignIns;
  limits: HttpLimits;
  logger: Logger;
}

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};
/** How often Node looks for requests that arrive too slowly. */
const CHECK_MS = 2_000;
const HSTS = 'max-age=31536000';
const MAX_PARAM_CHARS = 1000;
export const challenge = 'Basic realm="rafiki", charset="UTF-8", Bearer realm="rafiki"';

/** The web server without its paths: limits, headers, errors in one shape. */
export function createApp(options: Omit<AppOptions, 'signIns'>): FastifyInstance {
  const { tls, isTls = tls !== undefined, origin, proxies = [], corsOrigins, logsRequests, limits, logger } = options;
  const serverOptions = { maxHeaderSize: limits.headerBytes, connectionsCheckingInterval: CHECK_MS };
  const app = fastify({
    logger: false,
    trustProxy: proxies.length > 0 && [...proxies],
    bodyLimit: limits.jsonBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    forceCloseConnections: 'idle',
    clientErrorHandler: onClientError,
    http: serverOptions,
    ...(tls === undefined ? {} : { https: { ...tls, ...serverOptions } }),
  }) as unknown as FastifyInstance;
  const known = new KnownPaths(app);
  app.server.maxConnections = limits.connections;
  app.server.headersTimeout = limits.headersMs;
  app.decorateRequest('role', undefined);
  if (logsRequests === true) logRequests(app, logger);
  app.setValidatorCompiler(validatorCompiler);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (_: FastifyRequest, body: Buffer, done: (error: Error | null, json?: unknown) => void) => {
      let json: unknown;
      try {
        json = parseJson(body, limits.jsonDepth);
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null, json);
    },
  );
  const ownHeaders = !isTls ? securityHeaders : { ...securityHeaders, 'strict-transport-security': HSTS };
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(ownHeaders);
    if (corsOrigins.length > 0) allowOrigin(request, reply, corsOrigins);
    checkOrigin(request, origin === undefined ? corsOrigins : [...corsOrigins, origin]);
    done();
  });
  if (corsOrigins.length > 0) app.options('*', async (_, reply) => reply.code(204).send());
  app.setErrorHandler((error, request, reply) => {
    sendError(error, reply);
    logFault(logger, { path: request.routeOptions.url, status: reply.statusCode, error });
  });
  app.setNotFoundHandler((request, reply) => sendError(known.refusal(request), reply));
  refuseBodies(app, known);
  acceptFiles(app, limits);
  shareMemory(app, limits);
  closeUnread(app, limits);
  shareAnswerMemory(app, limits);
  return app;
}

/** Where nobody has signed in, nothing of a body is read: such paths have none. */
function refuseBodies(app: FastifyInstance, known: KnownPaths): void {
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    if (request.role === undefined && (coding !== undefined || Number(length ?? 0) !== 0)) {
      if (request.is404) throw known.refusal(request);
      throw new RequestTooLarge('this path reads no body', { hint: 'Send the request without one.' });
    }
    done(null, payload);
  });
}

function sendError(error: unknown, reply: FastifyReply): void {
  const { status, body, retryAfter, headers = {} } = errorBody(error);
  // a page of ours asks by itself: the browser's own question would be in its way
  if (status === 401 && reply.request.headers[PAGE_KEY] === undefined) void reply.header('www-authenticate', challenge);
  if (status === 408) void reply.header('connection', 'close'); // the rest of the request is not read
  if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
  void reply.code(status).headers(headers).type('application/json; charset=utf-8').send(body);
}

function allowOrigin(request: FastifyRequest, reply: FastifyReply, origins: readonly string[]): void {
  void reply.header('vary', 'origin');
  const { origin } = request.headers;
  if (origin === undefined || !origins.includes(origin)) return;
  void reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'authorization, content-type, rafiki-latency-budget, rafiki-on-overdue',
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-max-age': '600',
  });
}

/** A page of another origin must not make a browser that knows a password change anything: it can send some requests without asking. */
function checkOrigin({ method, headers: { origin, host } }: FastifyRequest, origins: readonly string[]): void {
  if (origin === undefined || method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return;
  if (origins.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host)) return;
  throw new HttpRefusal({ status: 403, sqlstate: '42501' }, 'web pages of this origin may not use the server', {
    detail: `The page is of ${origin.slice(0, 200)}, and the request came to ${String(host).slice(0, 200)}.`,
    hint: "If that is the server's own address, behind a proxy, set RAFIKI_HTTP_ORIGIN to it, or let the proxy pass on the header Host; otherwise allow it with RAFIKI_HTTP_CORS.",
  });
}

/** Signs in before anything of a body is read: a client without a role cannot make the server keep bytes. */
export function requireRole(
  signIns: Pick<SignIns, 'of'>,
): (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void {
  return (request, { raw }, done) => {
    const client = new AbortController();
    raw.once('close', () => {
      if (!raw.writableFinished) client.abort(); // maybe while it signs in
    });
    const enter = (role: SignedIn): void => {
      request.role = role.during(client.signal);
      done();
    };
    try {
      const role = signIns.of(request.headers.authorization, request.ip);
      if (role instanceof Promise) role.then(enter, done);
      else enter(role);
    } catch (error) {
      done(error as Error);
    }
  };
}

export function addRoutes(app: FastifyInstance, routes: readonly HttpRoute[], signIns: Pick<SignIns, 'of'>): void {
  const onRequest = requireRole(signIns);
  for (const {
    method,
    path,
    needsPassword = false,
    params,
    query,
    body,
    bodyTypes = ['application/json'],
    bodyLimit,
    status,
    isLong = false,
    handle,
  } of routes) {
    app.route({
      method,
      url: path,
      onRequest,
      ...(isLong ? { onSend: compress } : {}),
      preParsing: (request, _reply, payload, done) => {
        if (needsPassword) request.role?.byPassword();
        checkType(request, bodyTypes);
        done(null, payload);
      },
      ...(bodyLimit === undefined ? {} : { bodyLimit }),
      schema: {
        ...(params === undefined ? {} : { params }),
        ...(query === undefined ? {} : { querystring: query }),
        ...(body === undefined ? {} : { body }),
      },
      handler: async (request, reply) => {
        const role = request.role as SignedIn;
        if (status !== undefined) void reply.code(status);
        const answer = await handle({
          role,
          params: request.params,
          query: request.query,
          body: request.body,
          request,
          reply,
        });
        return answer === undefined ? reply : answer;
      },
    });
  }
}
