import type { QueuedRequest, RoleQueue, SessionQueue, WaitingState } from './queued-request.ts';

/** Rows of a role's sessions in turn, each session's earliest deadline first, from the place that `startOf` returns. */
export function* bySession(
  { sessionQueues, clock }: RoleQueue,
  state: WaitingState,
  startOf: (sessionQueue: SessionQueue) => number,
): Generator<QueuedRequest, undefined> {
  const waiting = [...sessionQueues.values()].filter(({ rows }) => rows[state] > 0);
  waiting.sort((a, b) => a.rows[state] - b.rows[state]); // of equal turns, those with fewer rows first
  const turns = waiting.map((sessionQueue) => {
    settle(sessionQueue, state);
    const queue = sessionQueue.queues[state];
    const place = startOf(sessionQueue);
    return { queue, place, tag: clock.startOf(sessionQueue.session), next: queue.at(place) };
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
export function settle(sessionQueue: SessionQueue, state: WaitingState): void {
  const queue = sessionQueue.queues[state];
  if (queue.length !== sessionQueue.rows[state])
    queue.keepOnly((request) => request.sessionQueue === sessionQueue && request.state === state);
}
