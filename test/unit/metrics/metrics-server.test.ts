import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { InvalidParameter } from '../../../src/errors/errors.ts';
import { MetricsServer, type MetricsServerOptions } from '../../../src/metrics/metrics-server.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

let server: MetricsServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function started(options: Partial<MetricsServerOptions> = {}): Promise<string> {
  server = new MetricsServer({
    ...{ process: 'worker', service: { measured: () => [] }, host: '127.0.0.1', port: 0, token: undefined },
    ...{ isReady: async () => true, logger: silentLogger },
    ...options,
  });
  await server.start();
  return `http://127.0.0.1:${server.address().port}`;
}

describe('a process’s metrics', () => {
  test('are for this machine without a token', async () => {
    const url = await started();
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain('rafiki_build_info');
  });

  test('need the token if there is one, whoever asks; the health does not', async () => {
    const url = await started({ host: '0.0.0.0', token: 'geheim' });
    const read = (headers: Record<string, string>): Promise<Response> => fetch(`${url}/metrics`, { headers });
    expect((await read({})).status).toBe(401);
    expect((await read({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await read({ authorization: 'Basic geheim' })).status).toBe(401);
    expect((await read({ authorization: 'Bearer geheim' })).status).toBe(200);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });

  test('are not served to other machines without a token', async () => {
    await expect(started({ host: '0.0.0.0' })).rejects.toThrow(InvalidParameter);
  });

  test('a process that cannot work is live but not ready', async () => {
    const url = await started({ isReady: async () => false });
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
  });

  test('a failed measurement is an error without its reason', async () => {
    const measured = (): Promise<never> => Promise.reject(new Error('password=geheim'));
    const url = await started({ service: { measured } });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('geheim');
  });

  test('other paths, methods and huge headers are refused', async () => {
    const url = await started();
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
    const status = await new Promise((resolve) => {
      const asked = request(`${url}/metrics`, { headers: { x: 'y'.repeat(20_000) } }, (response) =>
        resolve(response.statusCode),
      );
      asked.on('error', () => resolve('closed')).end();
    });
    expect([431, 'closed']).toContain(status);
  });
});
