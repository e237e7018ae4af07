import { lookup } from 'node:dns/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { reportError } from '../../../src/errors/rafiki-error.ts';

/** The errors are the system's own: Node may write them otherwise one day. */
const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-errors-'));
afterAll(() => rmSync(dir, { recursive: true }));

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function refusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const dial = (port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => connect(port, host, resolve).once('error', reject));

test.each([
  ['58P01', 'the file or folder does not exist', () => readFile(path.join(dir, 'none'))],
  ['58P01', 'it is a folder, not a file', () => readFile(dir)],
  ['58P02', 'it exists already', () => mkdir(dir)],
  [
    '58P01',
    'a part of the path is not a folder',
    () => writeFile(path.join(dir, 'file'), '').then(() => mkdir(path.join(dir, 'file/x'))),
  ],
  ['08001', 'the host name is unknown', () => lookup('no-such-host.invalid')],
  ['08001', 'no server listens there', async () => dial(await refusedPort(), '127.0.0.1')],
  ['08001', 'no server listens there', async () => dial(await refusedPort(), 'localhost')], // ::1 and 127.0.0.1
])('%s: %s', async (sqlstate, what, work) => {
  const report = reportError(await failureOf(work()));
  expect(report).toEqual({
    sqlstate,
    // to read a folder fails without a name
    message: expect.stringMatching(new RegExp(`^${what}(: \\S+)?$`)),
    detail: expect.stringMatching(/E[A-Z]+/),
    hint: expect.stringMatching(/[.?]$/),
  });
});

test('what is not the system’s stays an internal error', () => {
  expect(reportError(new Error('x'))).toEqual({ sqlstate: 'XX000', message: 'x' });
  expect(reportError(Object.assign(new Error('x'), { code: 'ENOENT' })).sqlstate).toBe('XX000');
  expect(reportError('x').sqlstate).toBe('XX000');
});
