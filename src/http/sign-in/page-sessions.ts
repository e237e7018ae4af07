import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HttpRefusal } from '../error-answer.ts';
import type { PageSession, PageSessions } from './sessions.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a request that signed in by a cookie. */
    session: PageSession | undefined;
  }
}

/** The header in which pages send their key; "none" before they have one. A page of another origin cannot send it without asking. */
export const PAGE_KEY = 'rafiki-session';
const SWEEP_MS = 60_000;

/** With TLS the browser itself holds the cookie to this host, this path and TLS. */
const nameOf = (isTls: boolean): string => (isTls ? '__Host-rafiki_session' : 'rafiki_session');

/**
 * Lets requests sign in by a session: the cookie and the key together stand for the Authorization header that the session began
 * with, which is then checked as always. So a role that is dropped, or whose password changes, is out as soon as with HTTP Basic.
 */
export function addPageSessions(
  app: FastifyInstance,
  sessions: PageSessions,
  { isTls, origin: ownOrigin }: { isTls: boolean; origin: string | undefined },
): void {
  const timer = setInterval(() => sessions.sweep(), SWEEP_MS);
  timer.unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    sessions.endAll();
  });
  app.decorateRequest('session', undefined);
  app.addHook('onRequest', (request, _, done) => {
    const { authorization, cookie, [PAGE_KEY]: key } = request.headers;
    const token = authorization === undefined ? cookieOf(cookie, nameOf(isTls)) : undefined;
    const session = token === undefined || typeof key !== 'string' ? undefined : sessions.of({ token, key });
    if (session !== undefined) {
      refuseOthers(request, ownOrigin);
      request.session = session;
      request.headers.authorization = session.authorization;
    }
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode === 401 && request.session !== undefined) {
      sessions.end(request.session);
      clearSession(reply, isTls);
    }
    done(null, payload);
  });
}

export function sendSession(reply: FastifyReply, token: string, isTls: boolean): void {
  void reply.header('set-cookie', cookie(token, isTls));
}

export function clearSession(reply: FastifyReply, isTls: boolean): void {
  void reply.header('set-cookie', `${cookie('', isTls)}; Max-Age=0`);
}

const cookie = (token: string, isTls: boolean): string =>
  `${nameOf(isTls)}=${token}; Path=/; HttpOnly; SameSite=Strict${isTls ? '; Secure' : ''}`;

function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [left = '', right] = pair.trim().split('=', 2);
    if (left === name && right !== undefined && right !== '') return right;
  }
  return undefined;
}

/** A session is for our own pages, not for origins that RAFIKI_HTTP_CORS allows to sign in by themselves. */
function refuseOthers(
  { headers: { origin, host, 'sec-fetch-site': site } }: FastifyRequest,
  ownOrigin: string | undefined,
): void {
  const isOwn = origin === undefined || origin === ownOrigin || (URL.canParse(origin) && new URL(origin).host === host);
  if (isOwn && (site === undefined || site === 'same-origin')) return;
  throw new HttpRefusal({ status: 403, sqlstate: '42501' }, 'a session is used by another origin', {
    hint: "If that is the server's own address, behind a proxy, set RAFIKI_HTTP_ORIGIN to it; otherwise sign in with a role and its password by HTTP Basic.",
  });
}
