import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { events } from '../../../src/dashboard/api/events.ts';
import { RequestFailed } from '../../../src/dashboard/api/request-failed.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

/** All data of a stream, and the error that ended it; and the signal by which it was opened. */
function followed(answer: () => Response | Promise<Response>): { seen: Promise<unknown[]>; isClosed: () => boolean } {
  let sent: AbortSignal | undefined;
  const open = async (signal: AbortSignal): Promise<Response> => {
    sent = signal;
    return answer();
  };
  const read = async (): Promise<unknown[]> => {
    const data: unknown[] = [];
    try {
      for await (const event of events(open, new AbortController().signal)) data.push(event.data);
    } catch (error) {
      data.push(error);
    }
    return data;
  };
  return { seen: read(), isClosed: () => sent?.aborted === true };
}

test('a stream of which no byte comes any more has failed, and is closed', async () => {
  const body = new ReadableStream({
    async start(stream) {
      stream.enqueue(encoded('event: study\ndata: 1\n\n'));
      for (let i = 0; i < 12; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        stream.enqueue(encoded(': still there\n\n'));
      }
    },
  });
  const { seen, isClosed } = followed(() => new Response(body));
  await vi.advanceTimersByTimeAsync(89_000);
  expect(isClosed()).toBe(false);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await seen).toEqual([1, expect.any(RequestFailed)]);
  expect(isClosed()).toBe(true);
});

test('so has one that does not begin', async () => {
  const { seen } = followed(() => new Promise(() => undefined));
  await vi.advanceTimersByTimeAsync(61_000);
  expect(await seen).toEqual([expect.any(RequestFailed)]);
});

test('the end of the server is no failure', async () => {
  expect(await followed(() => new Response('event: study\ndata: 1\n\n')).seen).toEqual([1]);
});
