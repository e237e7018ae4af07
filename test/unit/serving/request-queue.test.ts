import { describe, expect, it } from 'vitest';
import { MAX_IDLE_ROLES, MAX_SPECULATIVE } from '../../../src/serving/queue/limits.ts';
import type { QueuedRequest, RequestOptions, RequestWaiter } from '../../../src/serving/queue/queued-request.ts';
import { RequestQueue } from '../../../src/serving/queue/request-queue.ts';
import { CREDIT_ROWS } from '../../../src/serving/queue/role-queue.ts';

const session = {};
const terms = (changes: Partial<RequestOptions> = {}): RequestOptions => ({
  ...{ wantsDetail: false, deadlineMs: 100, budgetMs: 50, isFirm: false, role: 'a', session },
  ...changes,
});
const textsOf = (requests: readonly { input: string }[]): string[] => requests.map(({ input }) => input);

function waits(request: QueuedRequest): RequestWaiter {
  const waiter = { resolve: () => undefined, reject: () => undefined };
  request.waiters.push(waiter);
  return waiter;
}

/** As the batcher does. */
function join(queue: RequestQueue, request: QueuedRequest, options: RequestOptions): RequestWaiter {
  const waiter = { resolve: () => undefined, reject: () => undefined };
  queue.join(request, options, waiter);
  request.waiters.push(waiter);
  return waiter;
}

describe('RequestQueue', () => {
  it('rejects all waiting requests, in every lane, and forgets them', () => {
    const queue = new RequestQueue();
    const late = queue.demand('late', terms({ deadlineMs: 1 }));
    const detailed = queue.demand('detailed', terms({ wantsDetail: true }));
    queue.deferLate(1);
    queue.speculate('ahead', 'a');
    expect([queue.demanded, queue.deferred, queue.speculative]).toEqual([1, 1, 1]);
    expect(queue.takeAll()).toEqual([detailed, late]);
    expect(queue.length).toBe(0);
    for (const text of ['late', 'ahead']) expect(queue.find(text, false)).toBeUndefined();
    expect(queue.find('detailed', true)).toBeUndefined();
    expect([...queue.roleQueues].map(({ load }) => [load.rows, load.chars])).toEqual([[0, 0]]);
  });

  it('defers late requests, and returns those without late answers', () => {
    const queue = new RequestQueue();
    const firm = queue.demand('firm', terms({ deadlineMs: 1, isFirm: true }));
    const waiter = waits(firm);
    queue.demand('patient', terms({ deadlineMs: 2 }));
    queue.demand('in time', terms());
    expect(queue.deferLate(2)).toEqual([{ waiters: [waiter], budgetMs: firm.budgetMs, isFirm: true }]);
    expect([queue.demanded, queue.deferred]).toEqual([1, 1]);
    expect([queue.find('firm', false), queue.find('patient', false)?.state]).toEqual([undefined, 'deferred']);
    expect(textsOf(queue.takeDeferred(9))).toEqual(['patient']);
  });

  it('forgets a role without waiting requests in favour of another one, if it knows many', () => {
    const queue = new RequestQueue();
    queue.demand('waits', terms({ role: 'first' }));
    const running = queue.roleQueueOf('second');
    running.running = 1;
    for (let i = 2; i < MAX_IDLE_ROLES; i++) queue.roleQueueOf(`role ${i}`);
    queue.roleQueueOf('unknown');
    const known = [...queue.roleQueues].map(({ role }) => role);
    expect(known).toHaveLength(MAX_IDLE_ROLES);
    expect(known.slice(0, 3)).toEqual(['first', 'second', 'role 3']);
    expect(known.at(-1)).toBe('unknown');
  });

  it('serves a joined request by the earlier deadline, and in the shorter lane', () => {
    const queue = new RequestQueue();
    const shared = queue.demand('shared', terms({ deadlineMs: 100 }));
    queue.demand('other', terms({ deadlineMs: 50 }));
    join(queue, shared, terms({ deadlineMs: 100 }));
    expect(queue.first()?.input).toBe('other');
    join(queue, shared, terms({ deadlineMs: 40 }));
    expect([queue.first()?.input, shared.deadlineMs]).toEqual(['shared', 40]);
    join(queue, shared, terms({ deadlineMs: 90, role: 'b' }));
    expect([
      shared.role,
      shared.deadlineMs,
      queue.roleQueueOf('a').load.rows,
      queue.roleQueueOf('b').load.rows,
    ]).toEqual([...['b', 40, 1, 1]]);
    join(queue, shared, terms({ role: 'a' })); // has as many waiting
    expect(shared.role).toBe('b');
  });

  it('refuses of several waiters only those that it is too late for', () => {
    const queue = new RequestQueue();
    const shared = queue.demand('shared', terms({ deadlineMs: 100, budgetMs: 100, isFirm: true }));
    waits(shared);
    const hasty = join(queue, shared, terms({ deadlineMs: 1, budgetMs: 1, isFirm: true, role: 'b' }));
    const patient = join(queue, shared, terms({ deadlineMs: 1, budgetMs: 2 }));
    expect(queue.deferLate(1)).toEqual([{ waiters: [hasty], budgetMs: 1, isFirm: true }]);
    expect([queue.demanded, shared.deadlineMs, shared.role, shared.waiters.length]).toEqual([1, 100, 'a', 2]);
    queue.deferLate(1);
    expect([queue.deferred, shared.waiters]).toEqual([1, [patient]]);
  });

  it('forgets the deadline of a waiter that has left', () => {
    const queue = new RequestQueue();
    const shared = queue.demand('shared', terms({ deadlineMs: 100, isFirm: true }));
    waits(shared);
    const gone = join(queue, shared, terms({ deadlineMs: 1, isFirm: true }));
    shared.waiters.splice(shared.waiters.indexOf(gone), 1);
    expect(queue.deferLate(1)).toEqual([]);
    expect([queue.demanded, shared.deadlineMs]).toEqual([1, 100]);
  });

  it('demands a late request anew for a waiter that has time', () => {
    const queue = new RequestQueue();
    const shared = queue.demand('shared', terms({ deadlineMs: 1 }));
    waits(shared);
    queue.deferLate(1);
    join(queue, shared, terms({ deadlineMs: 1000 }));
    expect([queue.demanded, queue.deferred, shared.deadlineMs]).toEqual([1, 0, 1000]);
  });

  it('picks a row of each role in turn, and of each role one of each session', () => {
    const queue = new RequestQueue();
    const other = {};
    for (let i = 0; i < CREDIT_ROWS; i++) {
      queue.demand(`a ${i} first`, terms({ deadlineMs: i }));
      queue.demand(`a other ${i} first`, terms({ deadlineMs: i, session: other }));
      for (const which of [1, 2]) queue.demand(`b ${i} first ${which}`, terms({ deadlineMs: i, role: 'b' }));
    }
    queue.takeTurns(queue.turns({ state: 'demanded', maxRows: () => 100 }), 'demanded');
    for (let i = 0; i < 6; i++) queue.demand(`a ${i}`, terms({ deadlineMs: i }));
    for (let i = 0; i < 2; i++) queue.demand(`a other ${i}`, terms({ deadlineMs: i, session: other }));
    for (let i = 0; i < 6; i++) queue.demand(`b ${i}`, terms({ deadlineMs: i, role: 'b' }));
    const picked = queue.turns({ state: 'demanded', maxRows: () => 8 });
    expect(textsOf(picked)).toEqual(['b 0', 'a other 0', 'b 1', 'a 0', 'b 2', 'a other 1', 'b 3', 'a 1']);
    queue.takeTurns(picked, 'demanded');
    expect([queue.demanded, queue.roleQueueOf('a').load.rows, queue.roleQueueOf('b').load.rows]).toEqual([6, 4, 2]);
    expect([...queue.roleQueueOf('a').sessionQueues.keys()]).toEqual([session]); // nothing of the other waits
    const rest = queue.turns({ state: 'demanded', maxRows: () => 100, accepts: ({ role }) => role === 'a' });
    expect(textsOf(rest)).toEqual(['a 2', 'a 3', 'a 4', 'a 5']);
  });

  it('offers of a session with more rows than a batch those that are due later, and all of one with few', () => {
    const queue = new RequestQueue();
    for (let i = 0; i < 6; i++) queue.demand(`many ${i}`, terms({ deadlineMs: 10 * i }));
    queue.demand('few', terms({ deadlineMs: 5, role: 'b' }));
    const offered = (notBeforeMs: number): string[] =>
      textsOf(queue.turns({ state: 'demanded', maxRows: () => 4, notBeforeMs })).toSorted();
    expect(offered(30)).toEqual(['few', 'many 3', 'many 4', 'many 5']);
    expect(offered(1000)).toEqual(['few', 'many 0', 'many 1', 'many 2']);
  });

  it('has room for so many rows that are read ahead', () => {
    const queue = new RequestQueue();
    for (let i = 0; i < MAX_SPECULATIVE; i++) expect(queue.speculate(`ahead ${i}`, 'a')).toBe(true);
    expect(queue.speculate('one more', 'a')).toBe(false);
    queue.dropSpeculative();
    expect([queue.speculative, queue.find('ahead 0', false)]).toEqual([0, undefined]);
  });

  it('promotes a row that was read ahead once it is requested', () => {
    const queue = new RequestQueue();
    queue.speculate('ahead', 'a');
    const request = queue.find('ahead', false)!;
    join(queue, request, terms({ role: 'b' }));
    expect([queue.speculative, queue.demanded, request.role]).toEqual([0, 1, 'b']);
    queue.drop(request);
    expect([queue.length, queue.find('ahead', false)]).toEqual([0, undefined]);
  });
});
