import type { ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { LimitReached } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Tally } from '../../runtime/tally.ts';
import { errorAnswer, logFault } from '../error-answer.ts';
import type { HttpLimits } from '../limits.ts';
import { type HttpAsked, type HttpRoute, route } from '../route.ts';
import { studyParams } from '../schemas.ts';
import type { SignIns } from '../sign-in/sign-ins.ts';
import { ANY_STUDY, type Changed } from './changed.ts';
import { newestStudies, type StudyAnswer, studyOf } from './studies.ts';

/** The study is read when it has changed, but not more often; and anyway after the longer time. */
const MIN_LOOK_MS = 500;
/** Of the time, for the looks of one stream: those at studies of ten thousand trials take long. */
const LOOK_SHARE = 0.05;
const POLL_MS = 5_000;
/** A stream ends after this, and the client connects again: with its password, if it is still right. */
const MAX_STREAM_MS = 600_000;
/** A client that does not read gets no further events, and is closed. */
const MAX_UNSENT_BYTES = 64 * 1024;

const ended = ['completed', 'failed', 'cancelled'];

/** Counts the streams of all roles and of each. */
export class Streams {
  readonly #limits: Pick<HttpLimits, 'streams' | 'streamsOfRole'>;
  readonly #open = new Tally();
  #total = 0;

  constructor(limits: Pick<HttpLimits, 'streams' | 'streamsOfRole'>) {
    this.#limits = limits;
  }

  enter(role: string): void {
    const own = this.#open.of(role);
    if (own >= this.#limits.streamsOfRole || this.#total >= this.#limits.streams) {
      throw new LimitReached('too many streams of events are open', {
        detail: `${own} of this role.`,
        hint: 'Close others first.',
      });
    }
    this.#open.add(role, 1);
    this.#total++;
  }

  leave(role: string): void {
    this.#open.take(role, 1);
    this.#total--;
  }
}

interface StreamedEvent {
  found: unknown;
  isLast: boolean;
}

/** What a stream shows: it is read again after each change of `study`, or of any study. */
interface WatchedStudies {
  event: string;
  study: string;
  read(): Promise<StreamedEvent>;
}

interface StreamOptions {
  first: StreamedEvent;
  changed: Changed;
  gone: AbortSignal;
  /** Throws if the role may no longer sign in as it did. */
  checkRole(): Promise<void>;
}

/** Ends with the last event, when the client has gone, or when the server stops. */
async function stream(
  response: ServerResponse,
  { event, study, read }: WatchedStudies,
  { first, changed, gone, checkRole }: StreamOptions,
): Promise<void> {
  const untilMs = performance.now() + MAX_STREAM_MS;
  let last = '';
  let lookMs = 0;
  for (let next = first; ; ) {
    const { found, isLast } = next;
    const data = JSON.stringify(found);
    if (response.writableLength > MAX_UNSENT_BYTES) return;
    response.write(data === last ? ': still there\n\n' : `event: ${event}\ndata: ${data}\n\n`);
    last = data;
    if (isLast || gone.aborted || performance.now() > untilMs) return;
    const minMs = Math.min(POLL_MS, Math.max(MIN_LOOK_MS, lookMs / LOOK_SHARE));
    await changed.wait(study, { minMs, maxMs: POLL_MS, signal: gone });
    if (gone.aborted) return;
    await checkRole();
    const startedMs = performance.now();
    next = await read();
    lookMs = performance.now() - startedMs;
  }
}

const isEnded = ({ state }: StudyAnswer): boolean => ended.includes(state);

export interface EventOptions {
  changed: Changed;
  streams: Streams;
  stopping: AbortSignal;
  /** Of the request that began a stream: it is signed in again after each `recheckMs`, as a new request would be. */
  signIns: Pick<SignIns, 'of'>;
  recheckMs: number;
  logger: Logger;
}

function roleCheck(request: FastifyRequest, { signIns, recheckMs }: EventOptions): () => Promise<void> {
  let checkedMs = performance.now();
  return async () => {
    const nowMs = performance.now();
    if (nowMs - checkedMs < recheckMs) return;
    await signIns.of(request.headers.authorization, request.ip);
    checkedMs = nowMs;
  };
}

async function sendEvents(
  { role, request, reply }: Pick<HttpAsked<unknown, unknown, unknown>, 'role' | 'request' | 'reply'>,
  watched: WatchedStudies,
  options: EventOptions,
): Promise<undefined> {
  const { changed, streams, stopping, logger } = options;
  const first = await watched.read(); // an error is an answer of its own
  streams.enter(role.role);
  const response = reply.raw;
  const gone = AbortSignal.any(
    [role.signal, stopping, request.session?.ended].filter((signal) => signal !== undefined),
  );
  reply.hijack();
  const headers = { ...reply.getHeaders(), 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
  response.writeHead(200, headers as Record<string, string>);
  try {
    await stream(response, watched, { first, changed, gone, checkRole: roleCheck(request, options) });
  } catch (error) {
    const { status, report } = errorAnswer(error);
    logFault(logger, { path: request.routeOptions.url, status, error });
    const { sqlstate: code, ...rest } = report;
    response.write(`event: error\ndata: ${JSON.stringify({ status, code, ...rest })}\n\n`);
  } finally {
    streams.leave(role.role);
    response.end();
  }
  return undefined;
}

export const eventRoutes = (options: EventOptions): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/events',
    tag: 'studies',
    summary: 'The study as server-sent events, whenever it changes, until it ends',
    params: studyParams,
    answerType: 'text/event-stream',
    handle(asked) {
      const { role, params } = asked;
      const read = async () => {
        const found = await studyOf(role, params.study);
        return { found, isLast: isEnded(found) };
      };
      return sendEvents(asked, { event: 'study', study: params.study, read }, options);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/studies/events',
    tag: 'studies',
    summary: 'Your newest studies as server-sent events, whenever one changes',
    answerType: 'text/event-stream',
    handle(asked) {
      const read = async () => ({ found: { studies: await newestStudies(asked.role) }, isLast: false });
      return sendEvents(asked, { event: 'studies', study: ANY_STUDY, read }, options);
    },
  }),
];
