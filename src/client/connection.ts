import { errorOf, TimedOut, Unavailable } from './http-errors.ts';

export interface ConnectionOptions {
  /** Of the HTTP server: `http://127.0.0.1:54322`. */
  url: string;
  /** A token of rafiki_create_token; or a Postgres role and its password. */
  token?: string;
  role?: string;
  password?: string;
  /** Of each request; default 60 s, and 10 min for uploads and evaluations. 0: none. Node's own fetch waits 5 min at most. */
  timeoutMs?: number;
  /** In place of the global one, such as one with other limits of its own. */
  fetch?: typeof fetch;
}

export interface ClientRequestOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** One request, and how its answer is read. */
export interface SentRequest extends ClientRequestOptions {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** As JSON. */
  json?: unknown;
  body?: NonNullable<RequestInit['body']>;
  type?: string;
  headers?: Readonly<Record<string, string>>;
  /** An evaluation or an upload: the longer default time. */
  isLong?: boolean;
}

const TIMEOUT_MS = 60_000;
const LONG_MS = 600_000;

/** Sends requests with the role's credentials. */
export class HttpConnection {
  readonly #options: ConnectionOptions;
  readonly #url: string;
  readonly #authorization: string | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, '');
    this.#authorization = authorizationOf(options);
  }

  /** The answer as JSON. */
  async json<Answer>(path: string, request: SentRequest = {}): Promise<Answer> {
    return this.#within(request, async (signal) =>
      (await this.open(path, { ...request, signal })).json(),
    ) as Promise<Answer>;
  }

  async bytes(path: string, request: SentRequest = {}): Promise<Uint8Array> {
    const buffer = await this.#within(request, async (signal) =>
      (await this.open(path, { ...request, signal })).arrayBuffer(),
    );
    return new Uint8Array(buffer);
  }

  /** An answer whose body is not read yet, and which has no time limit. Throws a RequestError. */
  async open(path: string, request: SentRequest): Promise<Response> {
    const {
      method = request.json === undefined && request.body === undefined ? 'GET' : 'POST',
      query = {},
      signal,
    } = request;
    const { fetch: send = fetch } = this.#options;
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
    const search = String(given) === '' ? '' : `?${given}`;
    const body = request.json === undefined ? request.body : JSON.stringify(request.json);
    const type = request.json === undefined ? request.type : 'application/json';
    const headers: Record<string, string> = {
      accept: 'application/json, */*',
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
      ...request.headers,
    };
    const init: RequestInit & { duplex?: 'half' } = {
      method,
      headers,
      ...(body === undefined ? {} : { body, duplex: 'half' }), // without it a stream is refused
      ...(signal === undefined ? {} : { signal }),
    };
    const response = await send(`${this.#url}${path}${search}`, init).catch((cause: unknown) => {
      if (signal?.aborted) throw signal.reason;
      throw unreachable(this.#url, cause);
    });
    if (response.ok) return response;
    const text = await response.text();
    throw errorOf(response.status, parsed(text), response.headers.get('retry-after'));
  }

  /** Until the time is up or the caller aborts. */
  async #within<T>(
    { signal, timeoutMs, isLong = false }: SentRequest,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const ms = timeoutMs ?? this.#options.timeoutMs ?? (isLong ? LONG_MS : TIMEOUT_MS);
    const controller = new AbortController();
    const timer = ms > 0 ? setTimeout(() => controller.abort(timedOut(ms)), ms) : undefined;
    const abort = (): void => controller.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await work(controller.signal);
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** Basic is in UTF-8 (RFC 7617). */
function authorizationOf({ token, role, password = '' }: ConnectionOptions): string | undefined {
  if (token !== undefined) return `Bearer ${token}`;
  if (role === undefined) return undefined;
  return `Basic ${base64(new TextEncoder().encode(`${role}:${password}`))}`;
}

const CHUNK = 32_768;

/** `btoa` takes text, whose arguments are bounded. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { error: { message: text.slice(0, 200) } }; // of a proxy
  }
}

const unreachable = (url: string, cause: unknown): Unavailable =>
  new Unavailable(`no answer from ${url}`, {
    status: 0,
    code: '08001',
    hint: 'Check the address, and that "rafiki up" or "rafiki http" runs there.',
    cause,
  });

const timedOut = (ms: number): TimedOut =>
  new TimedOut(`no answer within ${ms} ms`, {
    status: 0,
    code: '57014',
    hint: 'Give the request more time: timeoutMs.',
  });
