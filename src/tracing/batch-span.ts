import type { CallPart, TracedCall } from './traced-call.ts';

/** The span of a batch below a call of which it has rows. The time before it is that of the queue. Times as those of a part. */
export const batchPart = (
  startMs: number,
  endMs: number,
  { rows, members = 1 }: { rows: number; members?: number },
): CallPart => ({
  name: 'rafiki batch',
  startMs,
  endMs,
  attributes: { 'rafiki.batch.rows': rows, 'rafiki.batch.members': members },
});

/** Once for each call that has rows in the batch. */
export function traceBatch(batch: readonly { trace: TracedCall | undefined }[], part: () => CallPart): void {
  let seen: Set<TracedCall> | undefined;
  for (const { trace } of batch) {
    if (trace === undefined) continue;
    seen ??= new Set();
    if (seen.has(trace)) continue;
    seen.add(trace);
    trace.part(part());
  }
}
