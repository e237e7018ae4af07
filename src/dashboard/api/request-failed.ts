/** The answer of the server to a request that failed, with what to do. */
export class RequestFailed extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;

  constructor(status: number, { code, message, detail, hint }: FailedAnswer) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.hint = hint;
  }
}

interface FailedAnswer {
  code: string;
  message: string;
  detail?: string;
  hint?: string;
}

/** What the server, or what is between, says to a request that failed. */
export async function failedAnswer(response: Response): Promise<FailedAnswer> {
  const found = readFailure(await response.json().catch(() => undefined));
  return found ?? { code: 'XX000', message: `the server answered ${response.status}` };
}

/** The error of an answer of ours. What a proxy in between answers is another JSON, or none: undefined. */
function readFailure(answer: unknown): FailedAnswer | undefined {
  const { error } = (answer ?? {}) as { error?: unknown };
  const { code, message, detail, hint } = (error ?? {}) as Partial<Record<keyof FailedAnswer, unknown>>;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return {
    ...{ code, message },
    ...(typeof detail === 'string' ? { detail } : {}),
    ...(typeof hint === 'string' ? hintForPeople(hint) : {}),
  };
}

/** What only a program can follow: a request to send, a header, a file of the documentation. */
const forPrograms =
  /\b(?:GET|POST|DELETE) \/|\bcurl\b|\bauthorization:|\bbearer\b|\bdocs\/|\bapplication\/|\bHTTP Basic\b/i;

/** A hint without the sentences that are for clients of REST. */
function hintForPeople(text: string): { hint?: string } {
  const hint = text
    .split(/(?<=\.) (?=[A-Z])/)
    .filter((sentence) => !forPrograms.test(sentence))
    .join(' ');
  return hint === '' ? {} : { hint };
}

/** Any failure as one that is shown: also a connection that was cut within an answer. */
export const asFailed = (error: unknown): RequestFailed =>
  error instanceof RequestFailed
    ? error
    : new RequestFailed(0, {
        code: '08006',
        message: 'the answer of the server did not arrive whole',
        detail: String(error),
        hint: 'Try again.',
      });

/** The failure of an event of a stream, which is written as that of an answer. */
export function failureOfEvent(data: unknown): RequestFailed {
  const { status } = (data ?? {}) as { status?: unknown };
  const found = readFailure({ error: data }) ?? { code: 'XX000', message: 'the server ended the connection' };
  return new RequestFailed(typeof status === 'number' ? status : 0, found);
}

export const noAnswer = (): RequestFailed =>
  new RequestFailed(0, {
    code: '08006',
    message: 'the server does not answer',
    hint: 'It may be restarting, or the network is away. This page tries again by itself.',
  });
