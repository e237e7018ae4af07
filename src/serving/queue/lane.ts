import { Fifo } from './fifo.ts';
import { BATCH_CHARS } from './limits.ts';
import { type QueuedRequest, QueueLoad } from './queued-request.ts';

/** Where so many more have left a lane than wait in it, these are cleared out. */
const SLACK = 1024;

/** Requests in the order in which they came. One that leaves for another lane stays there as well, and is passed over. */
export class Lane {
  readonly #name: QueuedRequest['lane'];
  readonly #requests = new Fifo<QueuedRequest>();
  readonly load = new QueueLoad();

  constructor(name: QueuedRequest['lane']) {
    this.#name = name;
  }

  get rows(): number {
    return this.load.rows;
  }

  /** Whose request comes next. */
  get nextRole(): string | undefined {
    this.#requests.dropWhile(({ lane }) => lane !== this.#name);
    return this.#requests.peek()?.role;
  }

  push(request: QueuedRequest): void {
    request.lane = this.#name;
    this.#requests.push(request);
    this.load.add(request);
    if (this.#requests.length > 2 * this.rows + SLACK) this.#requests.keepOnly(({ lane }) => lane === this.#name);
  }

  /** The request is in another lane now. */
  leave(request: QueuedRequest): void {
    this.load.remove(request);
  }

  /** The first so many run now, fewer where they are long; with `ofOneRole`, as many as come from the same role one after another. */
  take(rows: number, ofOneRole = false): QueuedRequest[] {
    const taken: QueuedRequest[] = [];
    for (let chars = 0; taken.length < rows && chars < BATCH_CHARS; ) {
      const next = this.#requests.peek();
      if (ofOneRole && next?.lane === this.#name && next.role !== (taken[0] ?? next).role) break;
      const request = this.#requests.shift();
      if (request === undefined) break;
      if (request.lane !== this.#name) continue;
      request.lane = 'running';
      this.load.remove(request);
      chars += request.input.length;
      taken.push(request);
    }
    return taken;
  }
}
