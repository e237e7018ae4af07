import { expect, it } from 'vitest';
import {
  BadData,
  CorruptParams,
  EnvironmentUnfit,
  InvalidParameter,
  NotSupported,
} from '../../../src/errors/errors.ts';
import { isMachineFault } from '../../../src/errors/machine-fault.ts';
import { reportError } from '../../../src/errors/rafiki-error.ts';
import { orderError } from '../../../src/serving/devices/thread-handle.ts';

it.each([BadData, InvalidParameter, NotSupported, CorruptParams])(
  'what the input or the model is at fault for stays what it is: %o',
  (Kind) => {
    const error = orderError(reportError(new Kind('no', { detail: 'a row', hint: 'Another.' })));
    expect(error).toBeInstanceOf(Kind);
    expect(error).toMatchObject({ message: 'no', detail: 'a row', hint: 'Another.' });
    expect(isMachineFault(error)).toBe(false);
  },
);

it.each([new Error('no memory'), new EnvironmentUnfit('a damaged copy')])(
  'any other is of this machine, and others may do better: %s',
  (cause) => {
    const error = orderError(reportError(cause));
    expect(error.message).toBe(cause.message);
    expect(isMachineFault(error)).toBe(true);
  },
);
