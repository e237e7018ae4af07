import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NotFound, Rafiki, RequestError, Unavailable } from '../../../src/client/rafiki.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const stream = (text: string): Response => new Response(text, { headers: { 'content-type': 'text/event-stream' } });
const study = (state: string): string => `event: study\ndata: {"study":1,"state":"${state}"}\n\n`;
const failure = (status: number, code: string): string =>
  `event: error\ndata: {"status":${status},"code":"${code}","message":"no"}\n\n`;

/** Watches a server that gives these answers, one after the other, and then the last one for ever. */
function watched(answers: readonly (() => Response | Promise<Response>)[]) {
  let asked = 0;
  const rafiki = new Rafiki({
    url: 'http://server',
    fetch: async () => (answers[Math.min(asked++, answers.length - 1)] as () => Response | Promise<Response>)(),
  });
  const all = (async () => {
    const states: string[] = [];
    for await (const { state } of rafiki.watch(1)) states.push(state);
    return states;
  })();
  return { all, asked: () => asked };
}

/** A connection of which nothing more comes, though nobody has closed it. */
const silentAfter = (text: string): Response =>
  new Response(new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode(text)) }));

test('a stream that falls silent is opened again, also one that never begins', async () => {
  const answers = [
    () => silentAfter(study('running')),
    () => new Promise<Response>(() => undefined),
    () => stream(study('completed')),
  ];
  const { all } = watched(answers);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(await all).toEqual(['running', 'completed']);
});

const away = () => Promise.reject(new TypeError('fetch failed'));

test('it connects again while the server is away, and ends with the study', async () => {
  const answers = [
    () => stream(study('running')),
    away,
    away,
    () => stream(study('running')),
    () => stream(study('completed')),
  ];
  const { all } = watched(answers);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await all).toEqual(['running', 'completed']);
});

test.each<[string, () => Response | Promise<Response>]>([
  ['does not answer', away],
  ['answers that it is busy', () => new Response('{"error":{"code":"53300"}}', { status: 503 })],
  ['sends what is no stream of events', () => new Response('<html></html>')],
  ['sends only that the database is away', () => stream(failure(503, '08006'))],
])('a server that %s is given up after five minutes', async (_, answer) => {
  const { all, asked } = watched([() => stream(study('running')), answer]);
  const ended = expect(all).rejects.toBeInstanceOf(Unavailable);
  await vi.advanceTimersByTimeAsync(295_000);
  const before = asked();
  await vi.advanceTimersByTimeAsync(30_000);
  await ended;
  expect(asked()).toBeGreaterThan(before);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked()).toBeLessThan(30);
});

test('an outage ends with the next event', async () => {
  const answers = Array.from({ length: 4 }, () => [
    () => stream(study('running')),
    ...Array.from({ length: 15 }, () => away),
  ]);
  const { all } = watched([...answers.flat(), () => stream(study('completed'))]);
  await vi.advanceTimersByTimeAsync(4 * 250_000);
  expect(await all).toEqual(['running', 'completed']);
});

test.each<[string, () => Response, new (...args: never[]) => Error]>([
  ['a study that is not there', () => new Response('{"error":{"code":"42704"}}', { status: 404 }), NotFound],
  ['a fault of the server within the stream', () => stream(failure(500, 'XX000')), RequestError],
  ['an event that is no JSON', () => stream('event: study\ndata: {\n\n'), SyntaxError],
])('%s is not asked for again', async (_, answer, kind) => {
  const { all, asked } = watched([answer]);
  await expect(all).rejects.toBeInstanceOf(kind);
  expect(asked()).toBe(1);
});
