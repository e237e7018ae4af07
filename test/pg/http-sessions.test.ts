import { afterAll, beforeAll, expect, test } from 'vitest';
import { basic, httpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let http: TestHttp;
let annRole: string;

beforeAll(async () => {
  database = await createTestDatabase();
  http = await startHttp(database, {
    limits: { signInRefreshMs: 0, signInExpireMs: 0 },
    cors: ['https://app.example.org'],
  });
  annRole = (await http.as('ann')).role;
});
afterAll(async () => {
  await http.server.stop();
  await database.drop();
});

interface BrowserSession {
  cookie: string;
  key: string;
  /** Headers of a page's request. */
  headers: Record<string, string>;
}

async function signIn(role: string): Promise<BrowserSession> {
  const { status, headers, body } = await httpClient(http.url, role)<{ key: string; role: string }>(
    'POST',
    '/v1/session',
  );
  expect([status, body.role]).toEqual([201, role]);
  const cookie = (headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  return { cookie, key: body.key, headers: { cookie, 'rafiki-session': body.key } };
}

const nobody = () => httpClient(http.url);

test('a session needs a role and its password, and its cookie is for this server and no script', async () => {
  expect((await nobody()('POST', '/v1/session')).status).toBe(401);
  expect((await httpClient(http.url, annRole, 'wrong')('POST', '/v1/session')).status).toBe(401);
  const { headers, body } = await httpClient(http.url, annRole)('POST', '/v1/session');
  expect(headers.get('set-cookie')).toMatch(/^rafiki_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(headers.get('set-cookie')).not.toContain('secret');
  expect(JSON.stringify(body)).not.toContain('secret');
});

test('behind a proxy with TLS the cookie is for TLS alone, and pages of that origin are its own', async () => {
  const origin = 'https://rafiki.example.org';
  const proxied = await startHttp(database, { origin });
  const { headers, body } = await httpClient(proxied.url, annRole)<{ key: string }>('POST', '/v1/session', undefined, {
    origin,
  });
  const [cookie = ''] = (headers.get('set-cookie') ?? '').split(';');
  expect(headers.get('set-cookie')).toMatch(/^__Host-rafiki_session=[\w-]{43}; .*; Secure$/);
  expect(headers.get('strict-transport-security')).not.toBeNull();
  const asPage = (from: string) =>
    httpClient(proxied.url)('GET', '/v1/me', undefined, { cookie, 'rafiki-session': body.key, origin: from });
  expect((await asPage(origin)).status).toBe(200);
  expect((await asPage('https://evil.example.org')).status).toBe(403);
  await proxied.server.stop();
});

test('cookie and key together act as the role; neither does alone', async () => {
  const { cookie, key, headers } = await signIn(annRole);
  expect((await nobody()('GET', '/v1/me', undefined, headers)).body).toEqual({ role: annRole, roles: [] });
  for (const partly of [
    { cookie },
    { 'rafiki-session': key },
    { cookie, 'rafiki-session': 'none' },
    { ...headers, cookie: 'rafiki_session=x' },
  ])
    expect((await nobody()('GET', '/v1/me', undefined, partly)).status).toBe(401);
  expect((await nobody()('GET', '/v2/models/m', undefined, headers)).status).toBe(404);
});

test('a session cannot be renewed by itself, only with the password', async () => {
  const { headers } = await signIn(annRole);
  const renewed = await nobody()('POST', '/v1/session', undefined, headers);
  expect([renewed.status, renewed.headers.get('set-cookie')]).toEqual([403, null]);
  expect(renewed.body).toMatchObject({ error: { code: '42501', hint: expect.stringContaining('password') } });
  expect((await nobody()('GET', '/v1/me', undefined, headers)).status).toBe(200);
  const again = await httpClient(http.url, annRole)('POST', '/v1/session', undefined, headers);
  expect(again.status).toBe(201);
});

test('a page is told to sign in by itself, other clients by the challenge', async () => {
  const page = await nobody()('GET', '/v1/me', undefined, { 'rafiki-session': 'none' });
  expect([page.status, page.headers.get('www-authenticate')]).toEqual([401, null]);
  expect((await nobody()('GET', '/v1/me')).headers.get('www-authenticate')).toContain('Basic');
});

test('no other origin may use a session, not even one that may sign in by itself', async () => {
  const { headers } = await signIn(annRole);
  const own = new URL(http.url).origin;
  const post = (more: Record<string, string>) =>
    nobody()('POST', '/v1/studies/1/cancel', undefined, { ...headers, ...more });
  expect((await post({ origin: own })).status).toBe(404);
  expect((await post({ origin: own, 'sec-fetch-site': 'same-origin' })).status).toBe(404);
  for (const foreign of [
    { origin: 'https://evil.example' },
    { origin: 'https://app.example.org' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    expect([foreign, (await post(foreign)).status]).toEqual([foreign, 403]);
    expect((await nobody()('GET', '/v1/me', undefined, { ...headers, ...foreign })).status).toBe(403);
  }
  const preflight = await nobody()('OPTIONS', '/v1/studies', undefined, { origin: 'https://app.example.org' });
  expect(preflight.headers.get('access-control-allow-headers')).not.toContain('rafiki-session');
  expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
});

test('signing out ends it, and its streams', async () => {
  const { headers } = await signIn(annRole);
  const stream = await fetch(`${http.url}/v1/studies/events`, { headers });
  expect(stream.status).toBe(200);
  const { body, headers: answered } = await nobody()('DELETE', '/v1/session', undefined, headers);
  expect(body).toEqual({ done: true });
  expect(answered.get('set-cookie')).toContain('Max-Age=0');
  expect(await stream.text()).toContain('event: studies\ndata: {"studies":[]}');
  expect((await nobody()('GET', '/v1/me', undefined, headers)).status).toBe(401);
});

test('a changed password and a dropped role end sessions', async () => {
  const { role } = await http.as('carl');
  const first = await signIn(role);
  await database.db.query(`alter role ${role} password 'another'`);
  const ended = await nobody()('GET', '/v1/me', undefined, first.headers);
  expect([ended.status, ended.headers.get('set-cookie')]).toEqual([401, expect.stringContaining('Max-Age=0')]);
  await database.db.query(`alter role ${role} password 'secret'`);
  expect((await nobody()('GET', '/v1/me', undefined, first.headers)).status).toBe(401);
  const second = await signIn(role);
  await database.db.query(`alter role ${role} nologin`);
  expect((await nobody()('GET', '/v1/me', undefined, second.headers)).status).toBe(401);
});

test('sessions are of the role that began them', async () => {
  const { role: bobRole } = await http.as('bob');
  const [ann, bob] = [await signIn(annRole), await signIn(bobRole)];
  expect((await nobody()('GET', '/v1/me', undefined, bob.headers)).body).toMatchObject({ role: bobRole });
  expect((await nobody()('GET', '/v1/me', undefined, { cookie: ann.cookie, 'rafiki-session': bob.key })).status).toBe(
    401,
  );
  const both = { ...ann.headers, authorization: basic(bobRole) };
  expect((await nobody()('GET', '/v1/me', undefined, both)).body).toMatchObject({ role: bobRole });
});

test('pages have no inline scripts, and may not be framed', async () => {
  const { status, headers, body } = await nobody()<string>('GET', '/studies/3');
  expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(headers.get('content-security-policy')).toMatch(
    /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/,
  );
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(body).not.toMatch(/<script(?![^>]* src=)|<style| on\w+=/);
  for (const [, asset = ''] of body.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
    const found = await nobody()('GET', asset);
    expect([asset, found.status, found.headers.get('cache-control')]).toEqual([
      asset,
      200,
      expect.stringContaining('immutable'),
    ]);
  }
  for (const path of ['/assets/../index.html', '/assets/%2e%2e/index.html', '/assets/', '/index.html', '/nowhere'])
    expect([path, (await nobody()('GET', path)).status]).toEqual([path, 404]);
});
