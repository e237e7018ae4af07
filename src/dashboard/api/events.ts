import { noAnswer } from './request-failed.ts';

export interface ServerEvent {
  event: string;
  data: unknown;
}

/** Until a stream begins; and without a byte of it: the server writes every five seconds, so nobody is there any more. */
const MAX_OPENING_MS = 60_000;
const MAX_SILENCE_MS = 30_000;

/**
 * Server-sent events of one request, until the server ends it, or is silent. By fetch and not by EventSource, which cannot send the session's key.
 */
export async function* events(
  open: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const left = new AbortController();
  const leave = (): void => left.abort();
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    const response = await within(MAX_OPENING_MS, open(left.signal));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return;
    let text = '';
    for (;;) {
      const { done, value } = await within(MAX_SILENCE_MS, reader.read());
      if (done) return;
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = readEvent(text.slice(0, end));
        text = text.slice(end + 2);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    signal.removeEventListener('abort', leave);
    leave();
  }
}

function within<T>(ms: number, awaited: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(noAnswer()), ms);
  });
  return Promise.race([awaited, silence]).finally(() => clearTimeout(timer));
}

/** Undefined for a comment, which only says that the stream is open. */
function readEvent(block: string): ServerEvent | undefined {
  let event = 'message';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    if (line.startsWith('data: ')) data += line.slice(6);
  }
  return data === '' ? undefined : { event, data: JSON.parse(data) };
}
