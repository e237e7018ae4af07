import { afterEach, expect, test } from 'vitest';
import { fenceParts } from '../../../src/runtime/limited/fence.ts';
import { LimitedProcess, type OrderLimits } from '../../../src/runtime/limited/limited-process.ts';

/** A process that a graph has taken over writes what it wants to; it is ended, and this one reads nothing of it. */
const entry = new URL('../../support/unruly-child.ts', import.meta.url);

const limits: OrderLimits<number> = {
  limitMs: 60_000,
  ...{ maxBytes: 2 ** 16, jsonBytes: 1000, parts: 10 },
  read(answer) {
    const { pid }: { pid?: unknown } = Object(answer);
    if (typeof pid === 'number') return pid;
    throw new TypeError('it answered without a number');
  },
};

const started: LimitedProcess[] = [];
async function start(): Promise<LimitedProcess> {
  const reads = [new URL('.', entry).pathname];
  const child = await LimitedProcess.start({ entry, memoryBytes: 2 ** 30, reads, nice: 1, onEnd: () => undefined });
  started.push(child);
  return child;
}
afterEach(() => Promise.all(started.splice(0).map((child) => child.kill())));

test('one that answers is left alone', async () => {
  const child = await start();
  const pid = await child.order({ kind: 'who' }, limits);
  expect(await child.order({ kind: 'who' }, limits)).toBe(pid);
});

const invalidLength = 'a message has an invalid length';
const unreadable = 'a message cannot be read';

test.each([
  ['a giant length', invalidLength],
  ['a length below 0', invalidLength],
  ['a longer answer than may be', invalidLength],
  ['no frame at all', invalidLength],
  ['a frame of another type', 'a frame is of another kind'],
  ['an answer without a message', 'a frame is of another kind'],
  ['an answer to another order', 'it answered order 2, and not 1'],
  ['two answers', 'it wrote more than an answer'],
  ['bytes without end', ''],
  ['what is no JSON', unreadable],
  ['bytes that are no text', unreadable],
  ['JSON that is cut off', 'its JSON is cut off'],
  ['JSON of a length below 0', 'its JSON is cut off'],
  ['JSON of many levels', 'its JSON has too many values, or too many levels'],
  ['many arrays', 'it has too many parts'],
  ['long JSON', 'its JSON is too long'],
  ['an array that is cut off', 'a part of it is cut off'],
  ['half a number in an array', unreadable],
  ['an array of an unknown kind', 'a part of it is of no known kind'],
  ['an array of no length', 'a part of it is cut off'],
  ['bytes that nothing names', 'it has more bytes than it names'],
  ['an answer of another form', 'it answered without a number'],
  ['null', 'it answered without a number'],
  ['errors without end', 'bytes to stderr'],
])('one that answers with %s is ended', async (kind, cause) => {
  const child = await start();
  const limit = kind === 'JSON of many levels' ? { ...limits, maxBytes: 2 ** 20, jsonBytes: 2 ** 20 } : limits;
  await expect(child.order({ kind }, limit)).rejects.toMatchObject({
    end: { kind: 'unruly', cause: expect.stringContaining(cause) },
  });
  await expect(child.order({ kind: 'who' }, limits)).rejects.toMatchObject({ end: { kind: 'unruly' } });
});

test.each([
  ['half a frame, and ends', 'it exited with code 3'],
  ['half a frame, and closes the pipe', 'it was ended by SIGKILL'],
])('one that writes %s has died', async (kind, cause) => {
  const child = await start();
  await expect(child.order({ kind }, limits)).rejects.toMatchObject({ end: { kind: 'died', cause } });
});

test('what it says without an order is no answer to the next one', async () => {
  const child = await start();
  await child.order({ kind: 'an answer, and then more' }, limits).catch(() => undefined);
  await expect(child.order({ kind: 'nothing' }, limits)).rejects.toMatchObject({ end: { kind: 'unruly' } });
});

test('one that answers orders that it does not read cannot make them pile up', async () => {
  const child = await start();
  await expect(child.order({ kind: 'who', text: 'x'.repeat(2 ** 25) }, limits)).rejects.toMatchObject({
    end: { kind: 'unruly', cause: 'it answered an order that it had not read' },
  });
});

test('an order that cannot be sent is no fault of the process, and the next one is', async () => {
  const child = await start();
  await expect(child.order({ kind: 'who', number: 1n }, limits)).rejects.toThrow(TypeError);
  expect(await child.order({ kind: 'who' }, limits)).toBeGreaterThan(0);
});

test('its end does not wait for what has left its group with its pipes', async () => {
  const child = await start();
  const pid = await child.order({ kind: 'what leaves the group' }, limits);
  await child.kill();
  const { away } = await fenceParts();
  if (!away.includes('processes')) process.kill(pid, 'SIGKILL'); // otherwise it has ended with its namespace, and the number is of another
});
