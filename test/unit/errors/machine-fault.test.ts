import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { expect, test } from 'vitest';
import { EnvironmentUnfit } from '../../../src/errors/errors.ts';
import { isDiskFault, isMachineFault } from '../../../src/errors/machine-fault.ts';
import { diskError } from '../../../src/runtime/disk/disk-error.ts';

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

test.each([
  ['a full disk', diskError(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' }), '/tmp'), true],
  ['a native library that cannot be loaded', Object.assign(new Error('x.so'), { code: 'ERR_DLOPEN_FAILED' }), true],
  ['a graph that cannot be loaded', new EnvironmentUnfit('no', { cause: new Error('bad_alloc') }), false],
  ['an error in the code of a family', new TypeError('x is undefined'), false],
])('in a training process the machine is at fault for the right errors: %s', (_, error, isFault) => {
  expect(isDiskFault(error)).toBe(isFault);
});
