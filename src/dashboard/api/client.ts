import { failedAnswer, noAnswer, RequestFailed } from './request-failed.ts';

const KEY = 'rafiki.session';
/** In addition to the cookie, which no script can read: other ports of this host cannot read it. */
const keyHeader = 'rafiki-session';

export const hasSession = (): boolean => localStorage.getItem(KEY) !== null;

type SessionChange = 'ended' | 'signed out' | 'signed in';
let onSession: (change: SessionChange) => void = () => undefined;

/**
 * Called when a request finds that the session has ended, and when another tab signs out or in: the cookie is then another role's, and
 * what this tab shows is no longer what it may ask for.
 */
export function whenSessionChanges(call: (change: SessionChange) => void): void {
  onSession = call;
}

/** For the storage event of a window, which only other tabs cause. A key of null: all was cleared. */
export function onStorage({ key }: { key: string | null }): void {
  if (key === KEY || key === null) onSession(hasSession() ? 'signed in' : 'signed out');
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
  const key = localStorage.getItem(KEY);
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    headers: {
      [keyHeader]: key ?? 'none',
      ...(body === undefined || isFile ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isFile ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw noAnswer();
  });
  if (response.ok) return response;
  const failed = new RequestFailed(response.status, await failedAnswer(response));
  // another tab may have signed in since
  if (failed.status === 401 && key !== null && localStorage.getItem(KEY) === key) {
    localStorage.removeItem(KEY);
    onSession('ended');
  }
  throw failed;
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
