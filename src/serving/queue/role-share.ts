import { ownCopy } from '../machine/active-users.ts';
import { FairClock } from '../machine/fair-clock.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { QueuedRequest, WaitingState } from './queued-request.ts';

/**
 * So many rows after a pause go before those of roles, or sessions, that never pause: users who rarely ask also ask twice
 * within a moment.
 */
export const CREDIT_ROWS = 4;

/** Waiting requests of one session for one model. */
export interface SessionShare {
  readonly session: object;
  readonly share: RoleShare;
  readonly load: QueueLoad;
  readonly rows: Record<WaitingState, number>;
  /** Includes requests that have left; those are skipped. */
  readonly queues: Readonly<Record<WaitingState, DeadlineQueue<QueuedRequest>>>;
}

/** Waiting requests of one role for one model, and the role's statistics. */
export interface RoleShare {
  readonly role: string;
  readonly load: QueueLoad;
  readonly rows: Record<WaitingState, number>;
  readonly parts: Map<object, SessionShare>;
  /** Tags of its sessions, in rows. */
  readonly clock: FairClock<object>;
  /** The last part that became empty, reused for sessions that send one row after another. */
  spare: SessionShare | null;
  /** Running batches that contain its rows. */
  running: number;
  /** Time of its own batches as a multiple of c(b), average and quickest; 0 while unknown. */
  slowness: number;
  quickest: number;
  /** Whether its rows run in batches of their own only, because they take far longer than other rows. */
  isSlow: boolean;
}

/** Size of the waiting requests. */
export class QueueLoad {
  rows = 0;
  chars = 0;

  add({ input }: { input: string }): void {
    this.rows++;
    this.chars += input.length;
  }

  remove({ input }: { input: string }): void {
    this.rows--;
    this.chars -= input.length;
  }
}

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
