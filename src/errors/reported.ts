import { BadData, CorruptParams, ExternalFailure, InvalidParameter, NotSupported } from './errors.ts';
import { type ErrorReport, RafikiError, type RafikiErrorOptions } from './rafiki-error.ts';

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

/** The error of a report from another process. */
export function reportedError(report: ErrorReport): RafikiError {
  const { sqlstate, message, ...options } = report;
  const known = Object.hasOwn(classes, sqlstate) ? classes[sqlstate] : undefined;
  return known === undefined ? new Reported(report, options) : new known(message, options);
}
