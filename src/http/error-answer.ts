import { translatePostgresError } from '../db/postgres-error.ts';
import { RequestTooLarge } from '../errors/errors.ts';
import { type ErrorReport, RafikiError, reportError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';

/** An error as a request gets it. */
export interface ErrorAnswer {
  status: number;
  report: ErrorReport;
  /** Seconds after which a repetition may succeed. */
  retryAfter?: number;
  headers?: Readonly<Record<string, string>>;
}

/** HTTP statuses of SQLSTATEs; of several the longest prefix counts. */
const statuses: Readonly<Record<string, number>> = {
  '08': 503,
  '0A000': 422,
  '22': 400,
  '23': 409,
  '25006': 403,
  '28': 401,
  '2B': 409,
  '38': 422,
  '40': 409,
  '42': 400,
  '42501': 403,
  '42704': 404,
  '42P01': 404,
  '3F000': 404,
  '42710': 409,
  '42P07': 409,
  '428C9': 409,
  '44': 409,
  '53': 503,
  '53400': 429,
  '54': 413,
  '55': 409,
  '57': 503,
  '57014': 504,
  P0: 400,
};

function statusOf(sqlstate: string): number {
  return statuses[sqlstate] ?? statuses[sqlstate.slice(0, 2)] ?? 500;
}

/** What a thrown value becomes; an unexpected one tells nothing of the server. */
export function errorAnswer(thrown: unknown): ErrorAnswer {
  const error = ofFramework(translatePostgresError(thrown));
  const report = reportError(error);
  const status = error instanceof HttpRefusal ? error.status : statusOf(report.sqlstate);
  const { headers } = error instanceof HttpRefusal ? error : {};
  if (status === 500) return { status, report: { sqlstate: 'XX000', message: 'internal error' } };
  return status === 429 || status === 503
    ? { status, report, retryAfter: 1 }
    : { status, report, ...(headers && { headers }) };
}

/** An error as every answer has it. */
export function errorBody(thrown: unknown): Omit<ErrorAnswer, 'report'> & { body: object } {
  const { report, ...answer } = errorAnswer(thrown);
  const { sqlstate: code, ...rest } = report;
  return { ...answer, body: { error: { code, ...rest } } };
}

/** Tells the operator what no client is told. */
export function logFault(
  logger: Logger,
  { path, status, error }: { path: unknown; status: number; error: unknown },
): void {
  if (status >= 500) logger.warn({ path, err: String(error) }, 'a request failed');
}

/** A refusal that has a status of HTTP's own. */
export class HttpRefusal extends RafikiError {
  readonly sqlstate: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(
    { status, sqlstate, headers }: { status: number; sqlstate: string; headers?: Readonly<Record<string, string>> },
    message: string,
    options: { detail?: string; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options);
    this.status = status;
    this.headers = headers;
    this.sqlstate = sqlstate;
  }
}

/** Errors of fastify and Node's parser, which have a status and a code. */
function ofFramework(error: unknown): unknown {
  if (error instanceof RafikiError || !(error instanceof Error)) return error;
  const { statusCode } = error as Error & { statusCode?: number };
  if (statusCode === 413) {
    return new RequestTooLarge('the body of the request is too large', {
      hint: 'Split it; docs/http.md has the limits.',
      cause: error,
    });
  }
  if (statusCode === 415) {
    return new HttpRefusal({ status: 415, sqlstate: '0A000' }, 'this content type is not supported here', {
      hint: 'Send application/json, or what docs/http.md names for this path.',
      cause: error,
    });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HttpRefusal({ status: statusCode, sqlstate: '22023' }, error.message.slice(0, 200), { cause: error });
  }
  return error;
}
