import { takesMs } from '../machine/demand.ts';
import { answerNow, type BatcherOptions, type BatcherQueue } from './batch-answer.ts';
import type { BatchChoice } from './batch-choice.ts';
import type { RequestOptions } from './queued-request.ts';
import type { Turns } from './turns.ts';

/** After requests of two sessions within this time, more are expected to come together. */
export const CONCURRENT_MS = 100;

export interface LoneRequestsOptions extends BatcherOptions {
  queue: BatcherQueue;
  choice: BatchChoice;
  turns: Turns;
}

/**
 * Answers requests of a session that asks alone, one row after another, on the event loop: to a small model the queue, a
 * promise and a turn of the loop cost more than the answer. Requests of several sessions had better form batches, and must
 * not keep the loop busy one after another.
 */
export class LoneRequests {
  readonly #options: LoneRequestsOptions;
  #latest: object | undefined;
  #latestMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoneRequestsOptions) {
    this.#options = options;
  }

  /** Undefined if the request must be asked as others. */
  answer(input: string, { role, session, deadlineMs }: RequestOptions): string | undefined {
    const { fleet, clock, device, machine, queue, choice, turns } = this.#options;
    const nowMs = clock.nowMs();
    const hasCompany = session !== this.#latest && nowMs - this.#latestMs < CONCURRENT_MS;
    this.#latest = session;
    this.#latestMs = nowMs;
    if (hasCompany || device.inlineRows === 0 || nowMs + takesMs(fleet, 1) > deadlineMs) return undefined;
    const decision = choice.lone(deadlineMs);
    if (decision.kind === 'wait' || !machine.takeLoop()) return undefined;
    const answer = answerNow(input, decision.subset, this.#options);
    if (answer === undefined) return undefined;
    machine.requested(queue, role, nowMs);
    turns.requestedBy(session, nowMs);
    queue.rate.arrived(nowMs);
    return answer;
  }
}
