import type { ServerResponse } from 'node:http';
import type { Static } from 'typebox';
import { LimitReached } from '../../errors/errors.ts';
import { errorAnswer } from '../error-answer.ts';
import type { HttpLimits } from '../limits.ts';
import { type HttpRoute, route } from '../route.ts';
import { studyParams } from '../schemas.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import type { Changed } from './changed.ts';
import { studyOf, type studySchema } from './studies.ts';

/** The study is looked at when it has changed, but not more often; and anyway after the longer time. */
const MIN_LOOK_MS = 500;
const POLL_MS = 5_000;
/** A stream ends after this, and the client connects again: with its password, if it is still right. */
const MAX_STREAM_MS = 600_000;
/** A client that does not read gets no further events, and is closed. */
const MAX_UNSENT_BYTES = 64 * 1024;

const ended = ['completed', 'failed', 'cancelled'];

/** Counts the streams of all roles and of each. */
export class Streams {
  readonly #limits: Pick<HttpLimits, 'streams' | 'streamsOfRole'>;
  readonly #open = new Map<string, number>();
  #total = 0;

  constructor(limits: Pick<HttpLimits, 'streams' | 'streamsOfRole'>) {
    this.#limits = limits;
  }

  enter(role: string): void {
    const own = this.#open.get(role) ?? 0;
    if (own >= this.#limits.streamsOfRole || this.#total >= this.#limits.streams) {
      throw new LimitReached('too many streams of events are open', {
        detail: `${own} of this role.`,
        hint: 'Close others first.',
      });
    }
    this.#open.set(role, own + 1);
    this.#total++;
  }

  leave(role: string): void {
    const left = (this.#open.get(role) ?? 1) - 1;
    if (left === 0) this.#open.delete(role);
    else this.#open.set(role, left);
    this.#total--;
  }
}

/** Ends when the study does, the client has gone, or `stopping` aborts. */
async function stream(
  role: SignedIn,
  response: ServerResponse,
  { study, changed, gone }: { study: string; changed: Changed; gone: AbortSignal },
): Promise<void> {
  const untilMs = performance.now() + MAX_STREAM_MS;
  let last = '';
  for (;;) {
    const found = await studyOf(role, study);
    const data = JSON.stringify(found);
    if (response.writableLength > MAX_UNSENT_BYTES) return;
    response.write(data === last ? ': still there\n\n' : `event: study\ndata: ${data}\n\n`);
    last = data;
    if (isEnded(found) || gone.aborted || performance.now() > untilMs) return;
    await changed.wait(study, { minMs: MIN_LOOK_MS, maxMs: POLL_MS, signal: gone });
    if (gone.aborted) return;
  }
}

const isEnded = ({ state }: Static<typeof studySchema>): boolean => ended.includes(state);

export const eventRoutes = ({
  changed,
  streams,
  stopping,
}: {
  changed: Changed;
  streams: Streams;
  stopping: AbortSignal;
}): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/events',
    tag: 'studies',
    summary: 'The study as server-sent events, whenever it changes, until it ends',
    params: studyParams,
    answerType: 'text/event-stream',
    async handle({ role, params: { study }, reply }) {
      await studyOf(role, study); // an error is an answer of its own
      streams.enter(role.role);
      const response = reply.raw;
      const closed = new AbortController();
      response.once('close', () => closed.abort());
      reply.hijack();
      const headers = { ...reply.getHeaders(), 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
      response.writeHead(200, headers as Record<string, string>);
      try {
        await stream(role, response, { study, changed, gone: AbortSignal.any([closed.signal, stopping]) });
      } catch (error) {
        const { report } = errorAnswer(error);
        response.write(`event: error\ndata: ${JSON.stringify({ code: report.sqlstate, message: report.message })}\n\n`);
      } finally {
        streams.leave(role.role);
        response.end();
      }
      return undefined;
    },
  }),
];
