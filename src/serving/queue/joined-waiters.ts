import type { JoinedWaiter, QueuedRequest, RefusedWaiters, RequestOptions } from './queued-request.ts';

/**
 * Adds a waiter to a waiting request. Returns what the request is to be demanded by now: by the earliest deadline, and, if it
 * `moves`, by the role of the new waiter; null if nothing changes. One that was late is demanded again.
 */
export function joinedTerms(
  request: QueuedRequest,
  { waiter, options, moves }: JoinedWaiter & { moves: boolean },
): RequestOptions | null {
  const before = askedOf(request);
  request.joined ??= request.waiters.map((first) => ({ waiter: first, options: before }));
  request.joined.push({ waiter, options });
  request.isFirm &&= options.isFirm;
  if (request.state === 'deferred') return { ...options, isFirm: request.isFirm };
  const isEarlier = options.deadlineMs < before.deadlineMs;
  if (!moves && !isEarlier) return null;
  const { deadlineMs, budgetMs } = isEarlier ? options : before;
  const { role, session } = moves ? options : before;
  return { ...before, deadlineMs, budgetMs, isFirm: request.isFirm, role, session };
}

const askedOf = ({ wantsDetail, deadlineMs, budgetMs, isFirm, role, session }: QueuedRequest): RequestOptions => ({
  ...{ wantsDetail, deadlineMs, budgetMs, isFirm, role, session },
});

/**
 * Of a request that is late for its earliest deadline: takes away the waiters that have no later one and accept no late answer,
 * and adds them to `refused`. Returns what the first of those with later deadlines asked for; null if there are none.
 */
export function laterWaiter(request: QueuedRequest, refused: RefusedWaiters[]): RequestOptions | null {
  const there = (request.joined ?? []).filter(({ waiter }) => request.waiters.includes(waiter));
  const isLate = ({ deadlineMs }: RequestOptions): boolean => deadlineMs <= request.deadlineMs;
  request.joined = there.filter(({ options }) => !(options.isFirm && isLate(options)));
  for (const each of there) {
    if (request.joined.includes(each)) continue;
    request.waiters.splice(request.waiters.indexOf(each.waiter), 1);
    refused.push({ waiters: [each.waiter], budgetMs: each.options.budgetMs, isFirm: true });
  }
  request.isFirm = request.joined.every(({ options }) => options.isFirm);
  const later = request.joined.map(({ options }) => options).filter((options) => !isLate(options));
  const first = later.sort((a, b) => a.deadlineMs - b.deadlineMs)[0];
  return first === undefined ? null : { ...first, isFirm: request.isFirm };
}
