import { Fifo } from './fifo.ts';
import { BATCH_CHARS } from './limits.ts';
import { type QueuedRequest, QueueLoad } from './queued-request.ts';

/** Requests that have left are removed when they exceed the waiting ones by this many. */
const SLACK = 1024;

/** Requests in order of arrival. One that leaves them remains in the array and is skipped. */
export class WaitingRequests {
  readonly #name: QueuedRequest['state'];
  readonly #requests = new Fifo<QueuedRequest>();
  readonly load = new QueueLoad();

  constructor(name: QueuedRequest['state']) {
    this.#name = name;
  }

  get rows(): number {
    return this.load.rows;
  }

  /** The next request. */
  get next(): QueuedRequest | undefined {
    this.#requests.dropWhile(({ state }) => state !== this.#name);
    return this.#requests.peek();
  }

  push(request: QueuedRequest): void {
    request.state = this.#name;
    this.#requests.push(request);
    this.load.add(request);
    if (this.#requests.length > 2 * this.rows + SLACK) this.#requests.keepOnly(({ state }) => state === this.#name);
  }

  /** The request now has another state. */
  leave(request: QueuedRequest): void {
    this.load.remove(request);
  }

  /** Takes up to `rows`, fewer if they are long; with `ofOneRole`, only consecutive ones of one role. */
  take(rows: number, ofOneRole = false): QueuedRequest[] {
    const taken: QueuedRequest[] = [];
    for (let chars = 0; taken.length < rows && chars < BATCH_CHARS; ) {
      const next = this.#requests.peek();
      if (ofOneRole && next?.state === this.#name && next.role !== (taken[0] ?? next).role) break;
      const request = this.#requests.shift();
      if (request === undefined) break;
      if (request.state !== this.#name) continue;
      request.state = 'running';
      this.load.remove(request);
      chars += request.input.length;
      taken.push(request);
    }
    return taken;
  }
}
