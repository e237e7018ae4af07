import type { AnswerMaker } from '../../domain/kinds/kind.ts';
import { BadData } from '../../errors/errors.ts';
import type { TimerClock } from '../../runtime/clock.ts';
import type { Device } from '../devices/device.ts';
import type { BatchRoles } from '../devices/work.ts';
import type { ServedFleet } from '../policies/fleet.ts';
import type { Policy, Subset } from '../policies/policy.ts';
import type { ActiveRoles } from './active-roles.ts';
import type { QueuedRequest, RoleShare } from './queued-request.ts';

export interface BatcherOptions {
  device: Device;
  fleet: ServedFleet;
  policy: Policy;
  clock: TimerClock;
  answerMaker: AnswerMaker;
  /** The latency budget τ of most requests, ms. */
  budgetMs: number;
  onBatch(rows: number): void;
  /** The server's active roles; shared by all its models. */
  activeRoles: ActiveRoles;
  /** A request came while the model was not in memory. */
  onUnloaded(): void;
  /** An answer of the most accurate subset, which may be cached. */
  onAnswer(input: string, answer: string): void;
}

/** A batch that runs. */
export interface RunningBatch {
  requests: readonly QueuedRequest[];
  subset: Subset;
  /** Its roles, if several roles are active. */
  work: Omit<BatchRoles, 'onStart'> | undefined;
  /** Called for each request that is answered or has failed. */
  onClosed(request: QueuedRequest): void;
  /** Called with the times of the batch. Returns whether they are representative of the model. */
  onEnded(ms: number, expectedMs: number): boolean;
}

/** Runs a batch and resolves the waiters of its requests. */
export async function answerBatch(running: RunningBatch, options: BatcherOptions): Promise<void> {
  const { requests: batch, onClosed, work } = running;
  const { device, fleet, policy, clock } = options;
  const subset = batch.some((request) => request.wantsDetail) ? fleet.exact : running.subset;
  let startedMs = clock.nowMs();
  const onStart = (): void => {
    startedMs = clock.nowMs();
  };
  try {
    const outputs = await device.run(
      batch.map((request) => request.input),
      subset,
      work && { ...work, onStart },
    );
    const nowMs = clock.nowMs();
    const rows = batch.length;
    const ms = nowMs - startedMs;
    if (running.onEnded(ms, fleet.subsetMs(subset, rows))) fleet.observe(subset, rows, ms);
    policy.observe?.({ nowMs, subset, rows, overdue: batch.filter(({ deadlineMs }) => deadlineMs < nowMs).length });
    options.onBatch(rows);
    const isBest = (fleet.accuracy[subset] ?? 0) >= (fleet.accuracy[fleet.best] ?? 0);
    batch.forEach((request, row) => {
      const answer = options.answerMaker.answer(outputs, row, rows);
      if (isBest) options.onAnswer(request.input, answer);
      onClosed(request);
      if (request.waiters.length === 0) return; // read ahead, and not requested yet
      const finding = request.wantsDetail ? options.answerMaker.finding(outputs, row, rows) : null;
      const outcome = { answer, finding, batch: rows, members: outputs.length };
      for (const waiter of request.waiters) waiter.resolve(outcome);
    });
  } catch (error) {
    if (error instanceof BadData && batch.length > 1) {
      // A corrupt image must fail only its own call: halve the batch to find it.
      const half = batch.length >> 1;
      await answerBatch({ ...running, requests: batch.slice(0, half) }, options);
      await answerBatch({ ...running, requests: batch.slice(half) }, options);
      return;
    }
    for (const request of batch) {
      onClosed(request);
      for (const waiter of request.waiters.splice(0)) waiter.reject(error);
    }
  }
}

/** The roles of a batch, for threads; undefined if only one is active. */
export function workOf(
  requests: readonly QueuedRequest[],
  roles: readonly RoleShare[],
): Omit<BatchRoles, 'onStart'> | undefined {
  if (roles.length === 0) return undefined;
  const rows = new Map<string, number>();
  for (const { role } of requests) rows.set(role, (rows.get(role) ?? 0) + 1);
  return { rows, isLong: roles.some(({ isSlow }) => isSlow) };
}
