import { BadData, CorruptParams, ExternalFailure, InvalidParameter, NotSupported } from './errors.ts';
import { type ErrorReport, RafikiError, type RafikiErrorOptions, reportError } from './rafiki-error.ts';

/** An error that another process has reported, and that has no class of its own here. */
class Reported extends RafikiError {
  readonly sqlstate: string;

  constructor({ sqlstate, message }: ErrorReport, options: RafikiErrorOptions) {
    super(message, options);
    this.sqlstate = sqlstate;
  }
}

const classes: Readonly<Record<string, new (message: string, options: RafikiErrorOptions) => RafikiError>> = {
  '22000': BadData,
  '22023': InvalidParameter,
  '0A000': NotSupported,
  '38000': ExternalFailure,
  XX001: CorruptParams,
};

/**
 * What data, a graph or its memory can be at fault for. Others would mean something to who gets the error: to sign in again, or that the same call
 * will soon work.
 */
const itsOwn = /^(22|38|0A|53|54|55|XX)[0-9A-Z]{3}$/;

/** A report of a process whose word is not taken, its texts cut as ours are; undefined for what is none. Other codes become 38000. */
export function readReport(value: unknown): ErrorReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { sqlstate, message, detail, hint }: { [part in keyof ErrorReport]?: unknown } = value;
  if (typeof sqlstate !== 'string' || !/^[0-9A-Z]{5}$/.test(sqlstate) || typeof message !== 'string') return undefined;
  if (!isTextOrNone(detail) || !isTextOrNone(hint)) return undefined;
  const options = { ...(detail === undefined ? {} : { detail }), ...(hint === undefined ? {} : { hint }) };
  return reportError(reportedError({ sqlstate: itsOwn.test(sqlstate) ? sqlstate : '38000', message, ...options }));
}

const isTextOrNone = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string';

/** The error of a report from another process. */
export function reportedError(report: ErrorReport): RafikiError {
  const { sqlstate, message, ...options } = report;
  const known = Object.hasOwn(classes, sqlstate) ? classes[sqlstate] : undefined;
  return known === undefined ? new Reported(report, options) : new known(message, options);
}
