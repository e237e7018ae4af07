import type { RafikiApi } from './api.ts';
import type { ClientRequestOptions, HttpConnection } from './connection.ts';
import { streamErrorOf, TooMany, Unavailable } from './http-errors.ts';

const ended = ['completed', 'failed', 'cancelled'];
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 15_000;
/** Without an event for so long, the last error is thrown: a server that restarts is back before. */
const MAX_OUTAGE_MS = 300_000;
/** Until a stream begins; and without a byte of it: the server writes every five seconds, so nobody is there any more. */
const MAX_OPENING_MS = 60_000;
const MAX_SILENCE_MS = 30_000;

/**
 * The study whenever it changes, until it ends. Connects again when the stream ends before that: the server ends each after ten minutes, and
 * while it restarts there is none. Throws a RequestError that repeating does not mend, or has not mended for {@link MAX_OUTAGE_MS}.
 */
export async function* watchStudy(
  connection: HttpConnection,
  study: number,
  { signal }: Pick<ClientRequestOptions, 'signal'> = {},
): AsyncGenerator<RafikiApi['Study'], void, void> {
  let last = '';
  let pauseMs = FIRST_PAUSE_MS;
  let outageMs: number | undefined;
  for (;;) {
    try {
      let isEmpty = true;
      for await (const { event, data } of events(connection, `/v1/studies/${study}/events`, signal)) {
        if (event === 'error') throw streamErrorOf(JSON.parse(data) as Parameters<typeof streamErrorOf>[0]);
        if (event !== 'study') continue;
        isEmpty = false;
        pauseMs = FIRST_PAUSE_MS;
        outageMs = undefined;
        const found = JSON.parse(data) as RafikiApi['Study'];
        if (data !== last) yield found;
        last = data;
        if (ended.includes(found.state)) return;
      }
      if (isEmpty) throw cut('the stream of events ended before the first one');
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof Unavailable || error instanceof TooMany)) throw error;
      outageMs ??= performance.now();
      if (performance.now() - outageMs >= MAX_OUTAGE_MS) throw error;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
  }
}

const cut = (message: string, cause?: unknown): Unavailable =>
  new Unavailable(message, {
    status: 0,
    code: '08006',
    hint: 'Check the network, and that "rafiki up" or "rafiki http" runs at the address.',
    cause,
  });

interface StreamEvent {
  event: string;
  data: string;
}

/** The events of a stream, as text/event-stream has them; comments are left out. */
async function* events(
  connection: HttpConnection,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamEvent, void, void> {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const headers = { accept: 'text/event-stream' };
    const opened = connection.open(path, { headers, signal: controller.signal });
    const { body } = await within(MAX_OPENING_MS, opened);
    if (body === null) return;
    const reader = body.getReader();
    const read = () => {
      const part = reader.read().catch((cause: unknown) => {
        throw cut('the stream of events was cut', cause);
      });
      return within(MAX_SILENCE_MS, part);
    };
    const decoder = new TextDecoder();
    let text = '';
    for (let part = await read(); !part.done; part = await read()) {
      text += decoder.decode(part.value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const found = eventOf(block);
        if (found !== undefined) yield found;
      }
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    controller.abort(); // also when the caller leaves the loop
  }
}

function within<T>(ms: number, awaited: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(cut(`nothing of the stream of events came within ${ms / 1000} s`)), ms);
  });
  return Promise.race([awaited, silence]).finally(() => clearTimeout(timer));
}

function eventOf(block: string): StreamEvent | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
