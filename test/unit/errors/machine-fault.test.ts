import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { expect, test } from 'vitest';
import { isMachineFault } from '../../../src/errors/machine-fault.ts';

test.skipIf(!existsSync('/dev/full'))(
  'a full disk is the fault of this machine, though what writes to a descriptor names no path',
  async () => {
    const stream = createWriteStream('/dev/full');
    stream.write('x');
    const [error] = await once(stream, 'error').catch((reason: unknown) => [reason]);
    expect([error, isMachineFault(error)]).toEqual([expect.objectContaining({ code: 'ENOSPC' }), true]);
  },
);

test('a connection that is refused is not', async () => {
  const socket = createConnection({ port: 1, host: '127.0.0.1' });
  const [error] = await once(socket, 'connect').catch((reason: unknown) => [reason]);
  expect([error, isMachineFault(error)]).toEqual([expect.objectContaining({ code: 'ECONNREFUSED' }), false]);
});
