import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Cancelled, LimitReached, RequestTooLarge } from '../errors/errors.ts';
import { MemoryBudget } from '../runtime/memory-budget.ts';
import { Tally } from '../runtime/tally.ts';
import { onClientError, streams } from './client-errors.ts';
import { HttpRefusal } from './error-answer.ts';
import type { HttpLimits } from './limits.ts';

const streamed = ['text/csv', 'application/x-ndjson', 'application/jsonl'];
/** Their directory is at the end. */
const whole = [
  'application/vnd.apache.parquet',
  'application/x-parquet',
  'application/zip',
  'application/x-zip-compressed',
];

/** How long a client may go on sending a file that was refused. */
const DROP_MS = 10_000;

/** Files arrive as streams, or, images, archives and Parquet, as bytes. */
export function acceptFiles(app: FastifyInstance, { imageBytes, uploadBytes }: HttpLimits): void {
  app.addContentTypeParser(
    streamed,
    (_: FastifyRequest, body: IncomingMessage, done: (error: null, body: IncomingMessage) => void) => {
      const { socket } = body;
      streams(socket, true);
      body.once('close', () => streams(socket, false));
      done(null, body);
    },
  );
  app.addHook('onResponse', ({ body, raw }, _, done) => {
    if (body === raw && !raw.readableEnded && !raw.destroyed) dropRest(raw);
    done();
  });
  const accept = (types: string | RegExp | string[], bodyLimit: number): void =>
    app.addContentTypeParser(types, { parseAs: 'buffer', bodyLimit }, async (_: FastifyRequest, body: Buffer) => body);
  accept(/^image\//, imageBytes);
  accept('application/octet-stream', imageBytes);
  accept(whole, uploadBytes);
}

/** Of a file that was refused before its end. Unread it would block the next request of the connection; if that were closed at once, the client might not see why. */
function dropRest(body: IncomingMessage): void {
  const timer = setTimeout(() => body.socket.destroy(), DROP_MS);
  body.once('close', () => clearTimeout(timer));
  body.removeAllListeners('readable').resume(); // who iterated over it has stopped
}

const mediaTypeOf = (request: FastifyRequest): string =>
  (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/** Of the memory of all bodies, for those of one role. */
const ROLE_SHARE = 1 / 4;
/** A body that holds memory must arrive at this pace, or at half of what its deadline needs; looked at so often. */
const MIN_BYTES_PER_MS = 64;
const PACE_MS = 10_000;

/** Long bodies wait for their part of the memory that all share. It is given back when the request is answered. */
export function shareMemory(app: FastifyInstance, { smallBytes, bodyBytes, requestMs }: HttpLimits): void {
  const memory = new MemoryBudget(bodyBytes);
  const ofRoles = new Tally();
  app.addHook('preParsing', (request, { raw }, payload, done) => {
    const bytes = bytesOf(request);
    if (bytes <= smallBytes) {
      done(null, payload);
      return;
    }
    const bytesPerMs = Math.min(MIN_BYTES_PER_MS, bytes / requestMs / 2);
    share(request.role?.role ?? '', raw, bytes).then(() => {
      endSlow(request.raw, raw, bytesPerMs);
      done(null, payload);
    }, done);
  });

  async function share(role: string, raw: ServerResponse, bytes: number): Promise<void> {
    if (ofRoles.of(role) + bytes > bodyBytes * ROLE_SHARE) {
      throw new LimitReached('too many long requests of this role at the same time', {
        hint: 'Send them one after the other.',
      });
    }
    const closed = new AbortController();
    raw.once('close', () => closed.abort(new Cancelled('the client has disconnected')));
    if (raw.closed) throw new Cancelled('the client has disconnected');
    ofRoles.add(role, bytes);
    raw.once('close', () => ofRoles.take(role, bytes));
    await memory.acquire(bytes, closed.signal);
    if (raw.closed) memory.release(bytes);
    else raw.once('close', () => memory.release(bytes));
  }
}

/** As Node ends a request after its deadline: a client that announces much and sends little keeps memory from others. */
function endSlow(message: IncomingMessage, answer: ServerResponse, bytesPerMs: number): void {
  const { socket } = message;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    const bytes = socket.bytesRead - before;
    before += bytes;
    if (message.complete) clearInterval(timer);
    else if (bytes < bytesPerMs * PACE_MS) onClientError(tooSlow, socket);
  }, PACE_MS);
  answer.once('close', () => clearInterval(timer));
}

const tooSlow = Object.assign(new Error('a body arrives too slowly'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });

/** Of the body in memory, as announced. Throws {@link RequestTooLarge}, 411 where a length is needed, and 415 for what is compressed. */
function bytesOf(request: FastifyRequest): number {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (length === undefined && coding === undefined) return 0;
  checkEncoding(request);
  const limit = request.routeOptions.bodyLimit;
  const mediaType = mediaTypeOf(request);
  const isStreamed = streamed.includes(mediaType);
  if (length === undefined && !isStreamed && !whole.includes(mediaType)) {
    throw new HttpRefusal({ status: 411, sqlstate: '0A000' }, 'a body of unknown length is not supported here', {
      hint: 'Send it with Content-Length, and not in chunks.',
    });
  }
  const bytes = length === undefined ? limit : Number(length);
  if (bytes <= limit) return isStreamed ? 0 : bytes;
  throw new RequestTooLarge('the body of the request is too large', {
    detail: `It has ${bytes} bytes; the maximum here is ${limit}.`,
    hint: 'Split it.',
  });
}

/** Compressed bytes would be read as they are. */
function checkEncoding({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding']?.trim() ?? '';
  if (encoding === '' || encoding.toLowerCase() === 'identity') return;
  throw new HttpRefusal(
    { status: 415, sqlstate: '0A000', headers: { 'accept-encoding': 'identity' } },
    `content encoding ${encoding.slice(0, 100)} is not supported here`,
    { hint: 'Send the body as it is, not compressed.' },
  );
}

/** What a path reads: JSON, unless it says otherwise. */
export function checkType(request: FastifyRequest, types: readonly string[]): void {
  const type = mediaTypeOf(request);
  if (type === '' || types.includes(type)) return;
  throw new HttpRefusal(
    { status: 415, sqlstate: '0A000' },
    `content type ${type.slice(0, 100)} is not supported here`,
    {
      hint: `Send ${types.join(', ')}.`,
    },
  );
}
