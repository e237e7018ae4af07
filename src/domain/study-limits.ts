/** The maximum of max_time, extensions included. */
export const MAX_STUDY_DAYS = 30;

/** A study that is paused for this long ends with its results so far: it occupies rows, checkpoints and a name. */
export const MAX_PAUSE_DAYS = 30;

/** Workers that train one trial together. */
export const MAX_WORKERS_PER_TRIAL = 64;

/** Failed trials of a study without any score, or that were to continue others, after which no further one is tried. */
export const MAX_FAILURES = 3;
