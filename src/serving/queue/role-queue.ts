import { ownCopy } from '../machine/active-users.ts';
import { FairClock } from '../machine/fair-clock.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import {
  type QueuedRequest,
  QueueLoad,
  type RoleQueue,
  type SessionQueue,
  type WaitingState,
} from './queued-request.ts';

/**
 * So many rows after a pause go before those of roles, or sessions, that never pause: users who rarely ask also ask twice
 * within a moment.
 */
export const CREDIT_ROWS = 4;

export const newRoleQueue = (role: string): RoleQueue => ({
  role: ownCopy(role),
  load: new QueueLoad(),
  rows: noRows(),
  sessionQueues: new Map(),
  clock: new FairClock({ credit: CREDIT_ROWS }),
  spare: null,
  running: 0,
  slowness: 0,
  quickest: 0,
  isSlow: false,
});

export const newSessionQueue = (session: object, roleQueue: RoleQueue): SessionQueue => ({
  session,
  roleQueue,
  load: new QueueLoad(),
  rows: noRows(),
  queues: { demanded: new DeadlineQueue<QueuedRequest>(), deferred: new DeadlineQueue<QueuedRequest>() },
});

const noRows = (): Record<WaitingState, number> => ({ demanded: 0, deferred: 0 });

/** Cost of a row: the same for all roles, except for slow ones. */
export const costOf = ({ isSlow, slowness }: RoleQueue): number => (isSlow ? Math.max(1, slowness) : 1);
