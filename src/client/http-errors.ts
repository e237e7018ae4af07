/** What an error answer says. */
export interface RequestErrorDetails {
  /** HTTP's; 0 if there was no answer. */
  status: number;
  /** SQLSTATE. */
  code: string;
  detail?: string | undefined;
  /** What to do next. */
  hint?: string | undefined;
  /** After so many seconds a repetition may succeed. */
  retryAfterS?: number | undefined;
  cause?: unknown;
}

/** A request that was refused or failed. The classes below are the kinds of it. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly retryAfterS: number | undefined;

  constructor(message: string, { status, code, detail, hint, retryAfterS, cause }: RequestErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.hint = hint;
    this.retryAfterS = retryAfterS;
  }
}

/** Wrong arguments (400, 415, 422). */
export class InvalidRequest extends RequestError {}
/** Role, password or token is wrong (401). */
export class NotSignedIn extends RequestError {}
/** The role may not, or not with a token (403). */
export class NotAllowed extends RequestError {}
/** It does not exist, or not for this role (404). */
export class NotFound extends RequestError {}
/** Its state does not allow it, or it exists already (409). */
export class Conflict extends RequestError {}
/** The body is too large (413). */
export class TooLarge extends RequestError {}
/** Too many at the same time (429). */
export class TooMany extends RequestError {}
/** The server, the database or the prediction servers are not there, or busy (503); or no answer came. */
export class Unavailable extends RequestError {}
/** Not in time (504), or the client's own time was up. */
export class TimedOut extends RequestError {}

const classes: Readonly<Record<number, typeof RequestError>> = {
  401: NotSignedIn,
  403: NotAllowed,
  404: NotFound,
  409: Conflict,
  413: TooLarge,
  429: TooMany,
  503: Unavailable,
  504: TimedOut,
};

interface ErrorBody {
  code?: string;
  message?: string;
  detail?: string;
  hint?: string;
}

/** The error of an answer: `{"error": {…}}`. */
export function errorOf(status: number, body: unknown, retryAfter: string | null = null): RequestError {
  const { error = {} } = Object(body) as { error?: ErrorBody };
  const { code = status >= 500 ? 'XX000' : '22023', message = `the server answered ${status}`, detail, hint } = error;
  const own = classes[status] ?? (status >= 400 && status < 500 ? InvalidRequest : RequestError);
  const retryAfterS = retryAfter === null ? undefined : Number(retryAfter);
  return new own(message, { status, code, detail, hint, retryAfterS });
}

/** The error of a stream of events, whose answer had begun: it says the status that the answer would have. */
export function streamErrorOf({ status = 500, ...error }: ErrorBody & { status?: number }): RequestError {
  return errorOf(status, { error });
}
