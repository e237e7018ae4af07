import Type from 'typebox';
import { HttpRefusal } from '../error-answer.ts';
import { type HttpRoute, route } from '../route.ts';
import { doneSchema } from '../schemas.ts';
import { clearSession, sendSession } from '../sign-in/page-sessions.ts';
import type { PageSessions } from '../sign-in/sessions.ts';

const tag = 'sign-in';

const sessionSchema = Type.Object(
  {
    role: Type.String(),
    key: Type.String({ description: 'for the header Rafiki-Session of each request, in addition to the cookie' }),
    lasts_s: Type.Integer({ description: 'seconds until it ends, however it is used' }),
  },
  { $id: 'Session' },
);

/** PageSessions of browsers: a cookie and a key in place of the password. */
export const sessionRoutes = (sessions: PageSessions, isTls: boolean): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/session',
    tag,
    summary: 'Begins a session of a browser, signed in with a role and its password',
    needsPassword: true,
    answer: sessionSchema,
    status: 201,
    handle({ role, request, reply }) {
      if (request.session !== undefined) {
        // otherwise a stolen session could be renewed for ever
        throw new HttpRefusal({ status: 403, sqlstate: '42501' }, 'a session does not begin another one', {
          hint: 'Sign in again with the role and its password, by HTTP Basic.',
        });
      }
      const { authorization = '' } = request.headers;
      const { token, key } = sessions.begin(role.role, authorization);
      sendSession(reply, token, isTls);
      return { role: role.role, key, lasts_s: sessions.lastsSeconds };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/session',
    tag,
    summary: 'Ends the session of the request',
    answer: doneSchema,
    handle({ request, reply }) {
      clearSession(reply, isTls);
      if (request.session === undefined) return { done: false };
      sessions.end(request.session);
      return { done: true };
    },
  }),
];
