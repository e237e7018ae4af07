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

/** What others say in their errors, code of a table's owner for one, is stored and shown: so much of it tells enough. */
const MAX_CHARS = 4_000;

/**
 * Flattens any thrown value: what the system refused says so, and anything else that is not ours becomes an internal error (XX000) that
 * keeps its message. Nothing in it is longer than 4,000 characters.
 */
export function reportError(error: unknown): ErrorReport {
  const { sqlstate, message, detail, hint } = wholeReport(error);
  return {
    sqlstate,
    message: cut(message),
    ...(detail === undefined ? {} : { detail: cut(detail) }),
    ...(hint === undefined ? {} : { hint: cut(hint) }),
  };
}

function wholeReport(error: unknown): ErrorReport {
  if (!(error instanceof RafikiError))
    return (
      systemReport(error) ?? { sqlstate: 'XX000', message: error instanceof Error ? error.message : String(error) }
    );
  const { sqlstate, message, detail, hint } = error;
  return {
    sqlstate,
    message,
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  };
}

const cut = (text: string): string => (text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS - 1)}…`);
