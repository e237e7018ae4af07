import { LEASE_MS } from '../domain/leases.ts';

/** Three heartbeats fit in a lease: two may fail before it expires. */
export const HEARTBEAT_MS = Math.floor(LEASE_MS / 3.75);
/** Any role may send a NOTIFY: this bounds additional heartbeats, one at a time. */
export const MIN_CHECK_MS = 500;
/** Likewise for reading the rounds of a trial, where waiting longer would cost training time. */
export const MIN_ROUND_CHECK_MS = 50;
/** Reads of rounds without a NOTIFY, which may be lost. */
export const ROUND_POLL_MS = 500;
/**
 * Maximum wait for a last checkpoint of a stopping worker: Ctrl-C should end it soon, and the previous checkpoint is
 * seconds old.
 */
export const LAST_CHECKPOINT_MS = 1_500;
/** A paused study, or a role that has waited for long, is not urgent, and work since the last checkpoint would be repeated. */
export const PAUSE_CHECKPOINT_MS = 60_000;
