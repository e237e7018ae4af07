import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { LimitReached } from '../errors/errors.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { Tally } from '../runtime/tally.ts';
import type { HttpLimits } from './limits.ts';

/** As often within the time as it is seen whether a client reads. */
const CHECKS = 6;

/** Node's own handle of a socket: of a large answer `writableLength` falls only when all of it is sent. */
interface SocketHandle {
  /** What was written to it, and what of that the system has not taken yet. */
  bytesWritten: number;
  writeQueueSize: number;
}

interface UnreadAnswer {
  /** Bytes that the system had taken at that time. */
  takenBytes: number;
  sinceMs: number;
}

/** Connections whose clients are to read what they have asked for: what they leave unread stays in memory. */
export class UnreadAnswers {
  readonly #limits: Pick<HttpLimits, 'unreadMs' | 'readBytes'>;
  readonly #clock: Clock;
  readonly #readings = new Map<Socket, UnreadAnswer | undefined>();

  constructor(limits: Pick<HttpLimits, 'unreadMs' | 'readBytes'>, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  watch(socket: Socket): void {
    this.#readings.set(socket, undefined);
    socket.once('close', () => this.#readings.delete(socket));
  }

  /** Closes those whose clients read too little. */
  check(): void {
    const nowMs = this.#clock.nowMs();
    for (const [socket, reading] of this.#readings) {
      const handle = (socket as { _handle?: SocketHandle | null })._handle;
      if (!handle || handle.writeQueueSize === 0) {
        this.#readings.set(socket, undefined);
        continue;
      }
      const takenBytes = handle.bytesWritten - handle.writeQueueSize;
      if (reading === undefined || takenBytes - reading.takenBytes >= this.#limits.readBytes)
        this.#readings.set(socket, { takenBytes, sinceMs: nowMs });
      else if (nowMs - reading.sinceMs >= this.#limits.unreadMs) socket.resetAndDestroy(); // the system keeps nothing for it, either
    }
  }
}

/** Disconnects clients that do not read, signed in or not: nothing else bounds how long an answer is in memory. */
export function closeUnread(app: FastifyInstance, limits: Pick<HttpLimits, 'unreadMs' | 'readBytes'>): void {
  const unread = new UnreadAnswers(limits, systemClock);
  app.server.on('connection', (socket: Socket) => unread.watch(socket)); // with TLS the one below it
  const timer = setInterval(() => unread.check(), limits.unreadMs / CHECKS);
  timer.unref();
  app.addHook('onClose', async () => clearInterval(timer));
}

const bytesOf = (payload: unknown): number => {
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  return Buffer.isBuffer(payload) ? payload.length : 0;
};

/** Long answers count until they are sent. One that has no room is refused: the statements that made it need not wait for a client. */
export function shareAnswerMemory(
  app: FastifyInstance,
  { smallBytes, answerBytes }: Pick<HttpLimits, 'smallBytes' | 'answerBytes'>,
): void {
  const ofRoles = new Tally();
  let all = 0;
  app.addHook('onSend', (request, { raw }, payload, done) => {
    const bytes = bytesOf(payload);
    const role = request.role?.role;
    if (role === undefined || bytes <= smallBytes || raw.closed) {
      done(null, payload);
      return;
    }
    const own = ofRoles.of(role);
    if (all + bytes > answerBytes || (own > 0 && own + bytes > answerBytes / 4)) {
      done(unreadAnswers(own));
      return;
    }
    ofRoles.add(role, bytes);
    all += bytes;
    raw.once('close', () => {
      all -= bytes;
      ofRoles.take(role, bytes);
    });
    done(null, payload);
  });
}

const unreadAnswers = (bytes: number): LimitReached =>
  new LimitReached('too many long answers have not been read yet', {
    detail: `${bytes} bytes of this role.`,
    hint: 'Read them, and repeat this request.',
  });
