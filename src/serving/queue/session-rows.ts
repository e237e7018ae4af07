import type { QueuedRequest, RoleShare, SessionShare, WaitingState } from './queued-request.ts';

/** Rows of the sessions in turn, each session's earliest deadline first, from the place that `startOf` returns. */
export function* bySession(
  { parts }: RoleShare,
  state: WaitingState,
  startOf: (part: SessionShare) => number,
): Generator<QueuedRequest, undefined> {
  const starts = new Map<SessionShare, number>();
  let round: Iterable<SessionShare> = parts.values();
  for (let place = 0; ; place++) {
    const more: SessionShare[] = [];
    for (const part of round) {
      if (place === 0) {
        settle(part, state);
        starts.set(part, startOf(part));
      }
      const request = part.queues[state].at((starts.get(part) ?? 0) + place);
      if (request === undefined) continue;
      more.push(part);
      yield request;
    }
    if (more.length === 0) return undefined;
    round = more;
  }
}

/** Removes requests that have left. */
export function settle(part: SessionShare, state: WaitingState): void {
  const queue = part.queues[state];
  if (queue.length !== part.rows[state]) queue.keepOnly((request) => request.part === part && request.state === state);
}
