/** The answer of the server to a request that failed, with what to do. */
export class RequestFailed extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;

  constructor(status: number, { code, message, detail, hint }: FailedAnswer) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.hint = hint;
  }
}

interface FailedAnswer {
  code: string;
  message: string;
  detail?: string;
  hint?: string;
}

const KEY = 'rafiki.session';
/** In addition to the cookie, which no script can read: other ports of this host cannot read it. */
const keyHeader = 'rafiki-session';

export const hasSession = (): boolean => localStorage.getItem(KEY) !== null;

let onSignedOut: () => void = () => undefined;

/** Called when a request finds that the session has ended. */
export function whenSignedOut(call: () => void): void {
  onSignedOut = call;
}

interface AskOptions {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Throws {@link RequestFailed}, also where no answer comes. */
export async function ask(
  path: string,
  { method = 'GET', body, headers = {}, signal }: AskOptions = {},
): Promise<Response> {
  const isFile = body instanceof Blob;
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    headers: {
      [keyHeader]: localStorage.getItem(KEY) ?? 'none',
      ...(body === undefined || isFile ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isFile ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new RequestFailed(0, {
      code: '08006',
      message: 'the server does not answer',
      hint: 'It may be restarting, or the network is away. This page tries again by itself.',
    });
  });
  if (response.ok) return response;
  const failed = new RequestFailed(response.status, await failedAnswer(response));
  if (failed.status === 401 && hasSession()) {
    localStorage.removeItem(KEY);
    onSignedOut();
  }
  throw failed;
}

async function failedAnswer(response: Response): Promise<FailedAnswer> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { error: FailedAnswer }).error;
  } catch {
    return { code: 'XX000', message: `the server answered ${response.status}` };
  }
}

export const getJson = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await ask(path, signal === undefined ? {} : { signal })).json() as Promise<T>;

export const post = async <T>(path: string, body?: unknown): Promise<T> =>
  (await ask(path, { method: 'POST', ...(body === undefined ? {} : { body }) })).json() as Promise<T>;

/** Throws {@link RequestFailed} with status 401 for a wrong role or password. */
export async function signIn(role: string, password: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${role}:${password}`);
  const encoded = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  localStorage.removeItem(KEY);
  const response = await ask('/v1/session', { method: 'POST', headers: { authorization: `Basic ${encoded}` } });
  const { key } = (await response.json()) as { key: string };
  localStorage.setItem(KEY, key);
}

export async function signOut(): Promise<void> {
  await ask('/v1/session', { method: 'DELETE' }).catch(() => undefined); // a session that has ended needs no end
  localStorage.removeItem(KEY);
}
