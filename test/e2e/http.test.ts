import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { httpClient } from '../support/http-client.ts';
import { eventually, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

let rafiki: RunningRafiki | undefined;
afterEach(async () => {
  await rafiki?.stop();
  rafiki = undefined;
});

const clientOf = ({ url, httpUrl }: RunningRafiki) => {
  const { username, password } = new URL(url);
  return httpClient(httpUrl, decodeURIComponent(username), decodeURIComponent(password));
};

/** The process of `rafiki http` among the children of `up`. */
function httpPid({ process: { pid } }: RunningRafiki): number | undefined {
  const children = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' }).split('\n');
  const line = children.find((each) => each.trim().endsWith('main.js http'));
  return line === undefined ? undefined : Number(line.trim().split(' ')[0]);
}

test('up prints the address, SQL goes on when the HTTP server is killed, and it comes back', async () => {
  rafiki = await rafikiUp({ args: ['--workers', '1'] });
  expect(rafiki.httpUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const user = clientOf(rafiki);
  expect((await user('GET', '/v1/me')).body).toMatchObject({ role: 'rafiki_user' });
  expect((await user('GET', '/health/ready')).status).toBe(200);
  const killed = httpPid(rafiki);
  process.kill(killed ?? 0, 'SIGKILL');
  expect(await rafiki.db.query('select 1 as one')).toEqual([{ one: 1 }]);
  const again = await eventually(async () =>
    (await user('GET', '/v1/me')).status === 200 ? httpPid(rafiki as RunningRafiki) : undefined,
  );
  expect(again).not.toBe(killed);
});

test('--no-http leaves it out', async () => {
  rafiki = await rafikiUp({ args: ['--workers', '1', '--no-http'] });
  expect([rafiki.httpUrl, httpPid(rafiki)]).toEqual(['', undefined]);
});
