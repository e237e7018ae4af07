/** Time without renewal after which a worker loses its trial. */
export const LEASE_MS = 15_000;

/** Maximum of attempts of a trial in a row that store no checkpoint, more than are lost by chance. */
export const MAX_ATTEMPTS = 3;

/** Time without renewal after which another coordinator may become the leader. */
export const LEADERSHIP_MS = 10_000;
