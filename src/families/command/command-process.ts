import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { FamilyFailed, FamilyKilled } from '../../errors/errors.ts';

/** A line of a message. A list of weights with their shapes is the longest. */
const MAX_LINE_BYTES = 2 ** 20;
/** Messages that were not asked for: there is one answer to each of ours. */
const MAX_PENDING = 8;
/** Of what it says on standard error the last part is kept, for messages. */
const KEPT_ERROR_CHARS = 2_000;
const MAX_ERROR_BYTES = 64 * 2 ** 20;
/** Output that arrives after the end of the process. */
const LAST_OUTPUT_MS = 500;

/**
 * Runs the command in a process group of its own, which dies with the process that started it, whatever kills that: a guard in the group waits for
 * the end of a pipe. $1 is the command, which a shell reads as in a terminal. A file has 2 GiB at most (in blocks of 512 bytes).
 */
const LAUNCHER = `
( read -r _ <&3; kill -9 -$$ ) </dev/null >/dev/null 2>&1 &
exec 3<&-
ulimit -c 0
ulimit -f 4194304
eval "$1"`;

export interface CommandOptions {
  command: string;
  /** The private folder of its files, also its home and its temporary folder. */
  folder: string;
  /** Where its program is looked for. */
  path: string;
  threads: number;
}

/** How long an answer may take, and whether it is still wanted. */
export interface Patience {
  limitMs: number;
  /** What is waited for, for messages. */
  what: string;
  isOver?: () => boolean;
}

/** How often it is asked whether an answer is still wanted. */
const LOOK_MS = 100;

type CommandMessage = Readonly<Record<string, unknown>>;

/**
 * A family's command: messages are lines of JSON on its standard input and output. It has none of our environment but PATH: no URL, no password.
 * Throws {@link FamilyFailed} for what it does wrong, {@link FamilyKilled} if a signal ended it.
 */
export class CommandProcess {
  readonly #child: ChildProcess;
  readonly #pending: CommandMessage[] = [];
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #error = '';
  #errorBytes = 0;

  constructor({ command, folder, path, threads }: CommandOptions) {
    const count = String(threads);
    const child = spawn('/bin/sh', ['-c', LAUNCHER, 'rafiki', command], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: {
        ...{ PATH: path, HOME: folder, TMPDIR: folder, LANG: 'C.UTF-8' },
        ...{ OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, MKL_NUM_THREADS: count },
      },
    });
    this.#child = child;
    const [stdin, stdout, stderr, guard] = child.stdio as unknown as [Writable, Readable, Readable, Writable];
    for (const stream of [stdin, guard]) stream.on('error', () => undefined); // its end is reported anyway
    stdout.on('data', (bytes: Buffer) => this.#read(bytes));
    stderr.on('data', (bytes: Buffer) => this.#readError(bytes));
    child.once('error', (cause) => this.#fail(cannotStart(command, cause)));
    child.once('exit', (code, signal) => {
      const end = (): void => this.#fail(this.#ended(code, signal));
      const timer = setTimeout(end, LAST_OUTPUT_MS); // a process of its own may hold the output open
      child.once('close', () => {
        clearTimeout(timer);
        end();
      });
    });
  }

  send(message: CommandMessage): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** Its next message; null if it is not wanted any more. */
  async receive({ limitMs, what, isOver = () => false }: Patience): Promise<CommandMessage | null> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const message = this.#pending.shift();
      if (message !== undefined) return message;
      if (this.#failure !== undefined) throw this.#failure;
      if (isOver()) return null;
      if (performance.now() >= deadline) throw tooSlow(what, limitMs, this.#error);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends it with all processes that it started. */
  kill(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined) return;
    if (exitCode === null && signalCode === null) kill(-pid);
    for (const stream of this.#child.stdio) stream?.destroy(); // the guard kills what is left of the group
  }

  #read(bytes: Buffer): void {
    let rest = bytes;
    for (let end = rest.indexOf(10); end >= 0 && this.#failure === undefined; end = rest.indexOf(10)) {
      this.#line.push(rest.subarray(0, end));
      this.#add(Buffer.concat(this.#line).toString('utf8'));
      this.#line = [];
      this.#lineBytes = 0;
      rest = rest.subarray(end + 1);
    }
    this.#lineBytes += rest.length;
    if (this.#lineBytes > MAX_LINE_BYTES) this.#refuse(floods(`a line of more than ${MAX_LINE_BYTES} bytes`));
    else this.#line.push(rest);
  }

  #add(line: string): void {
    const message = messageIn(line);
    if (message === undefined) this.#refuse(nonsense(line));
    else if (this.#pending.length >= MAX_PENDING) this.#refuse(floods(`more than ${MAX_PENDING} lines at once`));
    else this.#pending.push(message);
    this.#wake();
  }

  #readError(bytes: Buffer): void {
    this.#errorBytes += bytes.length;
    this.#error = (this.#error + bytes.toString('utf8')).slice(-KEPT_ERROR_CHARS);
    if (this.#errorBytes > MAX_ERROR_BYTES)
      this.#refuse(floods(`more than ${MAX_ERROR_BYTES} bytes on standard error`));
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): Error {
    const detail = this.#error.trim() === '' ? {} : { detail: this.#error.trim() };
    const bySignal = signal ?? signalIn(code);
    if (bySignal !== null) return new FamilyKilled(`the command of the family was ended by ${bySignal}`, detail);
    return new FamilyFailed(`the command of the family ended early, with code ${code}`, {
      ...detail,
      hint: 'It ends when it is told to, or when its standard input ends. Its last words on standard error are the detail.',
    });
  }

  /** What it sent before is not read either. */
  #refuse(failure: Error): void {
    this.#pending.length = 0;
    this.#fail(failure);
  }

  /** The first failure counts; nothing is read after it. */
  #fail(failure: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.kill();
    this.#wake();
  }
}

/** The shell's code if a signal has ended the command is 128 and its number, 64 at most; 255 is -1, with which programs report an error. */
const signalIn = (code: number | null): string | null =>
  code !== null && code > 128 && code <= 128 + 64 ? `signal ${code - 128}` : null;

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

function messageIn(line: string): CommandMessage | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as CommandMessage) : undefined;
  } catch {
    return undefined;
  }
}

const cannotStart = (command: string, cause: unknown): FamilyFailed =>
  new FamilyFailed('the command of a family cannot be started', {
    detail: `${command}: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'It is run by /bin/sh.',
    cause,
  });

const nonsense = (line: string): FamilyFailed =>
  new FamilyFailed('the command of the family wrote something else than a message', {
    detail: `It wrote: ${line.slice(0, 200)}`,
    hint: 'Its standard output is for lines of JSON; print everything else to standard error.',
  });

const floods = (what: string): FamilyFailed =>
  new FamilyFailed('the command of the family wrote too much', {
    detail: `It wrote ${what}.`,
    hint: 'It answers each message with one line; weights and models are files.',
  });

function tooSlow(what: string, limitMs: number, error: string): FamilyFailed {
  const said = error.trim() === '' ? '' : ` It said: ${error.trim()}`;
  return new FamilyFailed('the command of the family took too long', {
    detail: `It did not send ${what} within ${Math.round(limitMs / 1000)} s.${said}`,
    hint: 'Give the study more time, or make an epoch smaller.',
  });
}
