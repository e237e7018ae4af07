import type { MemberWeight } from '../../domain/ensembles/rule.ts';
import type { AnswerMaker } from '../../domain/kinds/kind.ts';
import { BadData } from '../../errors/errors.ts';
import type { TimerClock } from '../../runtime/clock.ts';
import { batchPart, traceBatch } from '../../tracing/batch-span.ts';
import type { Device } from '../devices/device.ts';
import type { ModelQueue } from '../machine/demand.ts';
import type { Machine } from '../machine/machine.ts';
import type { ServedFleet } from '../policies/fleet.ts';
import type { Policy, Subset } from '../policies/policy.ts';
import { ArrivalRate } from './arrival-rate.ts';
import type { QueuedRequest } from './queued-request.ts';
import type { RequestQueue } from './request-queue.ts';

export interface BatcherOptions {
  device: Device;
  fleet: ServedFleet;
  policy: Policy;
  clock: TimerClock;
  answerMaker: AnswerMaker;
  members: readonly MemberWeight[];
  /** The latency budget τ of most requests, ms. */
  budgetMs: number;
  onBatch(rows: number, subset: Subset): void;
  /** Shared by all models of the server. */
  machine: Machine;
  /** A request came while the model was not in memory. */
  onUnloaded(): void;
  /** An answer of the most accurate subset, which may be cached. */
  onAnswer(input: string, answer: string): void;
}

/** The model's queue, as the machine and its own batcher see it. */
export interface BatcherQueue extends ModelQueue {
  readonly requests: RequestQueue;
  readonly rate: ArrivalRate;
}

export const modelQueue = (
  { device, fleet, budgetMs }: BatcherOptions,
  requests: RequestQueue,
  dispatch: () => void,
): BatcherQueue => ({
  requests,
  rate: new ArrivalRate(budgetMs),
  fleet,
  budgetMs,
  dispatch,
  get isReady() {
    return device.isReady;
  },
});

/** A batch that runs. */
export interface RunningBatch {
  requests: readonly QueuedRequest[];
  subset: Subset;
  /** Called for each request that is answered or has failed. */
  onClosed(request: QueuedRequest): void;
  /** Called with the times of the batch. Returns whether they are representative of the model. */
  onEnded(ms: number, expectedMs: number): boolean;
}

/**
 * The answer of a subset to one input, given immediately on the event loop; undefined if that would take long. Nobody
 * waits, so it takes no slot.
 */
export function answerNow(input: string, subset: Subset, options: BatcherOptions): string | undefined {
  const { device, fleet, policy, clock, answerMaker, onBatch, onAnswer } = options;
  const result = device.runNow?.([input], subset);
  if (result === undefined) return undefined;
  fleet.observe(subset, 1, result.ms);
  policy.observe?.({ nowMs: clock.nowMs(), subset, rows: 1, overdue: 0 });
  onBatch(1, subset);
  const members = membersOf(subset, options);
  const answer = answerMaker.answer({ outputs: result.outputs, members, rows: 1 }, 0);
  if (isAsAccurate(fleet, subset)) onAnswer(input, answer);
  return answer;
}

const membersOf = (subset: Subset, { members }: Pick<BatcherOptions, 'members'>): MemberWeight[] =>
  members.filter((_, m) => (subset & (1 << m)) !== 0);

/** As the best subset. */
const isAsAccurate = (fleet: ServedFleet, subset: Subset): boolean =>
  (fleet.accuracy[subset] ?? 0) >= (fleet.accuracy[fleet.best] ?? 0);

/** Runs a batch and resolves the waiters of its requests. Returns how long a thread took for it, ms. */
export async function answerBatch(running: RunningBatch, options: BatcherOptions): Promise<number> {
  const { requests: batch, onClosed } = running;
  const { device, fleet, policy, clock } = options;
  const subset = batch.some((request) => request.wantsDetail) ? fleet.exact : running.subset;
  const startedMs = clock.nowMs();
  let answered = 0;
  try {
    const { outputs, ms } = await device.run(
      batch.map((request) => request.input),
      subset,
    );
    const nowMs = clock.nowMs();
    const rows = batch.length;
    traceBatch(batch, () => batchPart(startedMs, nowMs, { rows, members: outputs.length }));
    if (running.onEnded(ms, fleet.subsetMs(subset, rows))) fleet.observe(subset, rows, ms);
    policy.observe?.({ nowMs, subset, rows, overdue: batch.filter(({ deadlineMs }) => deadlineMs < nowMs).length });
    options.onBatch(rows, subset);
    const isBest = isAsAccurate(fleet, subset);
    const given = { outputs, members: membersOf(subset, options), rows };
    batch.forEach((request, row) => {
      const answer = options.answerMaker.answer(given, row);
      if (isBest) options.onAnswer(request.input, answer);
      const finding = request.wantsDetail ? options.answerMaker.finding(given, row) : null;
      onClosed(request);
      answered++;
      const outcome = { answer, finding, batch: rows, members: outputs.length };
      for (const waiter of request.waiters) waiter.resolve(outcome);
    });
    return ms;
  } catch (error) {
    const open = batch.slice(answered);
    if (error instanceof BadData && open.length > 1) {
      // A corrupt image must fail only its own call: halve the batch to find it.
      const half = open.length >> 1;
      await answerBatch({ ...running, requests: open.slice(0, half) }, options);
      await answerBatch({ ...running, requests: open.slice(half) }, options);
    } else {
      for (const request of open) {
        onClosed(request);
        for (const waiter of request.waiters.splice(0)) waiter.reject(error);
      }
    }
    return clock.nowMs() - startedMs;
  }
}
