import { systemReport } from './system-report.ts';

/** What every error of ours carries: it says what happened (message), with what value (detail), what to do next (hint). */
export interface RafikiErrorOptions {
  detail?: string;
  hint?: string;
  cause?: unknown;
}

/**
 * Base of all operating errors. Subclasses are named after the broken rule and fix `sqlstate` and `retryable`, and
 * what goes over the wire is these fields and nothing else.
 */
export abstract class RafikiError extends Error {
  abstract readonly sqlstate: string;
  readonly retryable: boolean = false;
  readonly detail: string | undefined;
  readonly hint: string | undefined;

  constructor(message: string, options: RafikiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.detail = options.detail;
    this.hint = options.hint;
  }
}

/** An error as it is stored in `study.error`, `trial.error`, `deployment.error` and sent in-band over the bridge. */
export interface ErrorReport {
  sqlstate: string;
  message: string;
  detail?: string;
  hint?: string;
}

/** Flattens any thrown value: what the system refused says so, and anything else that is not ours becomes an internal error (XX000) that keeps its message. */
export function reportError(error: unknown): ErrorReport {
  if (error instanceof RafikiError) {
    return {
      sqlstate: error.sqlstate,
      message: error.message,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
  }
  return systemReport(error) ?? { sqlstate: 'XX000', message: error instanceof Error ? error.message : String(error) };
}
