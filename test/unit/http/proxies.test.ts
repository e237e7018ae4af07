import { expect, test } from 'vitest';
import { createApp } from '../../../src/http/app.ts';
import { defaultHttpLimits } from '../../../src/http/limits.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

/** The address that a request from `remoteAddress` counts for. */
async function addressOf(proxies: readonly string[], remoteAddress: string, forwarded: string): Promise<string> {
  const app = createApp({
    ...{ tls: undefined, proxies, corsOrigins: [] },
    ...{ limits: defaultHttpLimits, logger: silentLogger },
  });
  app.get('/address', async ({ ip }) => ip);
  const { body } = await app.inject({ url: '/address', remoteAddress, headers: { 'x-forwarded-for': forwarded } });
  await app.close();
  return body;
}

test.each([
  ['none is named', [], '10.1.2.3', '203.0.113.9', '10.1.2.3'],
  ['the proxy is named', ['10.0.0.0/8'], '10.1.2.3', '203.0.113.9', '203.0.113.9'],
  ['a client is no proxy', ['10.0.0.0/8'], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
  ['a client has sent the header itself', ['10.0.0.0/8'], '10.1.2.3', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
  ['there are two proxies', ['10.0.0.0/8', '::1'], '::1', '203.0.113.9, 10.4.4.4', '203.0.113.9'],
])('X-Forwarded-For where %s', async (_, proxies, remoteAddress, forwarded, address) => {
  expect(await addressOf(proxies, remoteAddress, forwarded)).toBe(address);
});
