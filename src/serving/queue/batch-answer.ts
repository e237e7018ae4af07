import type { AnswerMaker } from '../../domain/kinds/kind.ts';
import { BadData } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Device } from '../devices/device.ts';
import type { Work } from '../devices/work.ts';
import type { ServedFleet } from '../policies/fleet.ts';
import type { Policy, Subset } from '../policies/policy.ts';
import type { Crowd } from './crowd.ts';
import type { QueuedRequest } from './queued-request.ts';

export interface BatcherOptions {
  device: Device;
  fleet: ServedFleet;
  policy: Policy;
  clock: Clock;
  judge: AnswerMaker;
  /** τ of most requests. */
  budgetMs: number;
  onBatch(rows: number): void;
  /** Whether several roles ask the server; of all its models. */
  crowd: Crowd;
  /** Somebody asks while the model is not in memory. */
  onAway(): void;
  /** An answer of the most accurate subset: it may be given again. */
  onAnswer(text: string, answer: string): void;
}

/** One batch. */
export interface RunningBatch {
  requests: readonly QueuedRequest[];
  subset: Subset;
  /** For whom it runs, where several roles ask. */
  work: Omit<Work, 'begins'> | undefined;
  /** Hears of each request that has its answer, or never will. */
  closed(request: QueuedRequest): void;
  /** How long a batch took; whether that says something of the model. */
  ended(ms: number, expectedMs: number): boolean;
}

/** Runs a batch and gives its answers to those who wait. */
export async function answerBatch(running: RunningBatch, options: BatcherOptions): Promise<void> {
  const { requests: batch, closed, work } = running;
  const { device, fleet, policy, clock } = options;
  const subset = batch.some((request) => request.wantsDetail) ? fleet.exact : running.subset;
  let startedMs = clock.nowMs();
  const begins = (): void => {
    startedMs = clock.nowMs();
  };
  try {
    const outputs = await device.run(
      batch.map((request) => request.text),
      subset,
      work && { ...work, begins },
    );
    const nowMs = clock.nowMs();
    const rows = batch.length;
    const ms = nowMs - startedMs;
    if (running.ended(ms, fleet.subsetMs(subset, rows))) fleet.observe(subset, rows, ms);
    policy.observe?.({ nowMs, subset, rows, overdue: batch.filter(({ deadlineMs }) => deadlineMs < nowMs).length });
    options.onBatch(rows);
    const isBest = (fleet.accuracy[subset] ?? 0) >= (fleet.accuracy[fleet.best] ?? 0);
    batch.forEach((request, row) => {
      closed(request);
      const answer = options.judge.answer(outputs, row, rows);
      if (isBest) options.onAnswer(request.text, answer);
      if (request.waiters.length === 0) return; // read ahead, and not asked yet
      const finding = request.wantsDetail ? options.judge.finding(outputs, row, rows) : null;
      const outcome = { answer, finding, batch: rows, members: outputs.length };
      for (const waiter of request.waiters) waiter.resolve(outcome);
    });
  } catch (error) {
    if (error instanceof BadData && batch.length > 1) {
      // a broken image fails its own call only: halving finds it
      const half = batch.length >> 1;
      await answerBatch({ ...running, requests: batch.slice(0, half) }, options);
      await answerBatch({ ...running, requests: batch.slice(half) }, options);
      return;
    }
    for (const request of batch) {
      closed(request);
      for (const waiter of request.waiters.splice(0)) waiter.reject(error);
    }
  }
}
