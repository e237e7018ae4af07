import { once } from 'node:events';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createApp } from '../../../src/http/app.ts';
import { defaultHttpLimits } from '../../../src/http/limits.ts';

function loggedApp() {
  const lines: Record<string, unknown>[] = [];
  const write = (chunk: Buffer, _: unknown, done: () => void): void => {
    lines.push(JSON.parse(String(chunk)));
    done();
  };
  const logger = pino(new Writable({ write }));
  const app = createApp({ tls: undefined, corsOrigins: [], logsRequests: true, limits: defaultHttpLimits, logger });
  return { app, lines };
}

test('each request is a line: who, what and how it ended, but not what was asked or sent', async () => {
  const { app, lines } = loggedApp();
  app.get('/v1/models/:model', async (_, reply) => {
    await setTimeout(20);
    return reply.code(202).send({});
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  await fetch(`${url}/v1/models/films?secret=1`, { headers: { authorization: 'Bearer secret' } });
  await fetch(`${url}/${'x'.repeat(500)}`, { method: 'POST' });
  await app.close();
  expect(lines).toMatchObject([
    { msg: 'request', client: '127.0.0.1', role: null, method: 'GET', path: '/v1/models/films', status: 202 },
    { method: 'POST', status: 404 },
  ]);
  expect(lines[0]?.['ms']).toBeGreaterThan(0);
  expect(String(lines[1]?.['path'])).toHaveLength(300);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('so is one that is refused before anything else is looked at', async () => {
  const { app, lines } = loggedApp();
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  await fetch(`${url}/v1/models`, { method: 'POST', headers: { origin: 'http://evil.example' } });
  await fetch(`${url}/%zz`, { method: 'POST' });
  await app.close();
  expect(lines).toMatchObject([
    { path: '/v1/models', status: 403 },
    { client: '127.0.0.1', path: '/%zz', status: 400 },
  ]);
});

test('so is one whose client has left', async () => {
  const { app, lines } = loggedApp();
  let arrived: (() => void) | undefined;
  const asked = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  app.get('/slow', async () => {
    arrived?.();
    return new Promise(() => undefined);
  });
  const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(url.port), url.hostname);
  await once(socket, 'connect');
  socket.write('GET /slow HTTP/1.1\r\nhost: a\r\n\r\n');
  await asked;
  socket.destroy();
  await expect.poll(() => lines).toMatchObject([{ path: '/slow', status: null }]);
  await app.close();
});
