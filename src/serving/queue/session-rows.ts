import type { QueuedRequest, RoleShare, SessionShare, WaitingState } from './queued-request.ts';

/** Rows of a role's sessions in turn, each session's earliest deadline first, from the place that `startOf` returns. */
export function* bySession(
  { parts, clock }: RoleShare,
  state: WaitingState,
  startOf: (part: SessionShare) => number,
): Generator<QueuedRequest, undefined> {
  const waiting = [...parts.values()].filter(({ rows }) => rows[state] > 0);
  waiting.sort((a, b) => a.rows[state] - b.rows[state]); // of equal turns, those with fewer rows first
  const turns = waiting.map((part) => {
    settle(part, state);
    const queue = part.queues[state];
    const place = startOf(part);
    return { queue, place, tag: clock.startOf(part.session), next: queue.at(place) };
  });
  for (;;) {
    const turn = clock.next(turns);
    if (turn?.next === undefined) return undefined;
    yield turn.next;
    turn.tag++;
    turn.next = turn.queue.at(++turn.place);
  }
}

/** Removes requests that have left. */
export function settle(part: SessionShare, state: WaitingState): void {
  const queue = part.queues[state];
  if (queue.length !== part.rows[state]) queue.keepOnly((request) => request.part === part && request.state === state);
}
