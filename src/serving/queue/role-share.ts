import { ownCopy } from '../machine/active-users.ts';
import { FairClock } from '../machine/fair-clock.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import {
  type QueuedRequest,
  QueueLoad,
  type RoleShare,
  type SessionShare,
  type WaitingState,
} from './queued-request.ts';

/**
 * So many rows after a pause go before those of roles, or sessions, that never pause: users who rarely ask also ask twice
 * within a moment.
 */
export const CREDIT_ROWS = 4;

export const newRole = (role: string): RoleShare => ({
  role: ownCopy(role),
  load: new QueueLoad(),
  rows: noRows(),
  parts: new Map(),
  clock: new FairClock({ credit: CREDIT_ROWS }),
  spare: null,
  running: 0,
  slowness: 0,
  quickest: 0,
  isSlow: false,
});

export const newPart = (session: object, share: RoleShare): SessionShare => ({
  session,
  share,
  load: new QueueLoad(),
  rows: noRows(),
  queues: { demanded: new DeadlineQueue<QueuedRequest>(), deferred: new DeadlineQueue<QueuedRequest>() },
});

const noRows = (): Record<WaitingState, number> => ({ demanded: 0, deferred: 0 });

/** Cost of a row: the same for all roles, except for slow ones. */
export const costOf = ({ isSlow, slowness }: RoleShare): number => (isSlow ? Math.max(1, slowness) : 1);
