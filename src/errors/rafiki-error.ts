import { systemReport } from './system-report.ts';

/** The parts of every error: what happened (message), with which value (detail), and what to do next (hint). */
export interface RafikiErrorOptions {
  detail?: string;
  hint?: string;
  cause?: unknown;
}

/**
 * Base of all operating errors. Subclasses are named after the violated rule and define `sqlstate` and `retryable`.
 * Only these fields are sent over the wire.
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

/** An error as stored in `study.error`, `trial.error`, `deployment.error`, and sent in replies of the bridge. */
export interface ErrorReport {
  sqlstate: string;
  message: string;
  detail?: string;
  hint?: string;
}

/** Bounds texts from other sources, such as the code of a table's owner, which are stored and displayed. */
const MAX_CHARS = 4_000;

/**
 * Converts any thrown value to a report: system errors by their code, other foreign errors as internal errors (XX000)
 * with their message. No text is longer than 4,000 characters, and each can be stored.
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

const cut = (text: string): string => storable(text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS - 1)}…`);

/** No text of Postgres has NUL, and no jsonb half of a pair of surrogates: with one, the error could not be stored. */
const storable = (text: string): string => text.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\ufffd');
