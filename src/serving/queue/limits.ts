/** Requests that may wait for one model; more are refused (53400). At 10 µs per row this is a fraction of a second. */
export const MAX_QUEUED = 16_384;
/** Limit of their characters: images are long. */
export const MAX_QUEUED_CHARS = 512 * 1024 * 1024;
/**
 * Late requests of other sessions may take the device so long before a late request is answered, without requests that
 * can be in time; beyond, it is refused (53400).
 */
export const MAX_LATE_MS = 60_000;
/** Late requests that have waited so long are answered even where that makes others late. */
export const PATIENCE_MS = 60_000;
/** Limit of a batch's characters: it may be passed to a thread as one string. */
export const BATCH_CHARS = 32 * 1024 * 1024;
/** Idle roles that are kept; beyond, the oldest is treated as new. */
export const MAX_IDLE_ROLES = 256;

/** Speculative rows that may wait for one model; dropping more costs speed only. */
export const MAX_SPECULATIVE = 8192;
/** Limit of their characters: images are long. */
export const MAX_SPECULATIVE_CHARS = 64 * 1024 * 1024;
