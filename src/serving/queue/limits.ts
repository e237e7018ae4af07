/** Requests that may wait for one model; more are refused (53400). At 10 µs a row this is a fraction of a second. */
export const MAX_QUEUED = 16_384;
/** And so many characters: images are long. */
export const MAX_QUEUED_CHARS = 512 * 1024 * 1024;
/** A batch is cut off at so many characters: it may be posted to a thread as one string. */
export const BATCH_CHARS = 32 * 1024 * 1024;
/** Roles that are remembered while nothing of them waits; beyond, who came first is a stranger again. */
export const MAX_IDLE_ROLES = 256;

/** Rows read ahead that may wait for one model; more are forgotten, which costs speed only. */
export const MAX_SPECULATIVE = 8192;
/** And so many characters: images are long. */
export const MAX_SPECULATIVE_CHARS = 64 * 1024 * 1024;
