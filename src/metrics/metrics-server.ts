import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EnvironmentUnfit, InvalidParameter } from '../errors/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { isLoopback } from '../runtime/loopback.ts';
import type { MeasuredService } from '../runtime/measured.ts';
import type { Service } from '../runtime/service.ts';
import { Exposition } from './exposition.ts';

export interface MetricsServerOptions {
  /** The kind of process, as in `rafiki.process`. */
  process: string;
  service: MeasuredService;
  host: string;
  /** 0: any free port. */
  port: number;
  /** Needed to read /metrics from another machine: the names of models are other people's. */
  token: string | undefined;
  /** Whether the process can do its work now. Takes at most as long as a probe may wait. */
  isReady(): Promise<boolean>;
  logger: Logger;
}

/** A probe sends a few hundred bytes. */
const MAX_HEADER_BYTES = 8192;
const MAX_CONNECTIONS = 32;
const MAX_REQUEST_MS = 5_000;
/** Node looks for silent connections every half a minute by default: so many would keep probes out that long. */
const CHECK_MS = 1_000;

/**
 * GET /metrics, /health/live and /health/ready of one process, for Prometheus and for what restarts containers. A client that reaches
 * the port may ask for the health; the measurements are for this machine, or for clients with the token.
 */
export class MetricsServer implements Service {
  readonly #options: MetricsServerOptions;
  readonly #exposition: Exposition;
  readonly #server: Server;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#exposition = new Exposition(options.process, options.service);
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        requestTimeout: MAX_REQUEST_MS,
        headersTimeout: MAX_REQUEST_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  async start(): Promise<void> {
    const { host, port, token, logger } = this.#options;
    if (token === undefined && host !== 'localhost' && !isLoopback(host)) {
      throw new InvalidParameter('metrics for other machines need a token', {
        detail: `They would be served on ${host}:${port}, with the names of all models.`,
        hint: 'Set RAFIKI_METRICS_TOKEN, and have Prometheus send it (authorization: credentials); or leave RAFIKI_METRICS_HOST out.',
      });
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(
          new EnvironmentUnfit(`metrics cannot be served on ${host}:${port}`, {
            detail: cause.message,
            hint: 'Choose another port: --metrics-port N.',
            cause,
          }),
        ),
      );
      this.#server.listen({ host, port }, resolve);
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (error) => logger.warn({ err: error.message }, 'metrics cannot be served'));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      response.end(request.method === 'HEAD' ? '' : text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(405, 'only GET\n');
      return;
    }
    const path = request.url?.split('?')[0];
    try {
      if (path === '/health/live') send(200, 'live\n');
      else if (path === '/health/ready') {
        const isReady = await this.#options.isReady();
        send(isReady ? 200 : 503, isReady ? 'ready\n' : 'not ready\n');
      } else if (path !== '/metrics') send(404, 'there are /metrics, /health/live and /health/ready\n');
      else if (this.#mayRead(request)) send(200, await this.#exposition.text(), this.#exposition.contentType);
      else {
        response.setHeader('www-authenticate', 'Bearer');
        send(401, 'send RAFIKI_METRICS_TOKEN as a bearer token\n');
      }
    } catch (error) {
      this.#options.logger.warn({ err: String(error) }, 'a request for metrics failed');
      if (!response.headersSent) send(500, 'failed; the reason is in the log\n');
    }
  }

  /** With a token, everybody needs it: behind a proxy, every request comes from this machine. */
  #mayRead({ headers, socket }: IncomingMessage): boolean {
    const { token } = this.#options;
    if (token === undefined) return isLoopback(socket.remoteAddress ?? '');
    const sent = /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(sent), digest(token));
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
