import { MAX_QUEUED, MAX_QUEUED_CHARS } from './limits.ts';
import type { QueueLoad } from './queued-request.ts';

/** Used share of a queue's limits. */
export const fill = ({ rows, chars }: QueueLoad): number => Math.max(rows / MAX_QUEUED, chars / MAX_QUEUED_CHARS);

/** Whether one more row stays within a share of the queue. */
export const hasRoom = (load: QueueLoad | undefined, share: number): boolean =>
  (load === undefined ? 0 : fill(load)) + 1 / MAX_QUEUED <= share * (1 + 1e-9);

/** The one with the largest load. */
export function largest<T extends { load: QueueLoad }>(all: Iterable<T>): T | undefined {
  let max: T | undefined;
  for (const each of all) if (max === undefined || fill(each.load) > fill(max.load)) max = each;
  return max;
}
