import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Assignment, FromChild, ToChild } from '../training/messages.ts';

export interface TrainingListener {
  onMessage(message: FromChild): void;
  /** The process ended, or could not be started; `cause` says how. */
  onEnd(cause: string): void;
}

/** Sources run through tsx, the build as it is. */
const isSource = import.meta.url.endsWith('.ts');
const entry = fileURLToPath(new URL(isSource ? '../training/child.ts' : '../training/child.js', import.meta.url));

/** A process that has not said a word by then never will, say for want of memory. */
const BEGIN_MS = 60_000;

/** A child process that trains one trial: what goes wrong in native code takes it down, and not the worker. */
export class TrainingProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(assignment: Assignment, { onMessage, onEnd }: TrainingListener) {
    const child = fork(entry, {
      serialization: 'advanced', // typed arrays stay what they are
      stdio: ['ignore', 2, 2, 'ipc'], // stdout belongs to whoever started the worker
      ...(isSource ? { execArgv: ['--import', 'tsx'] } : {}),
    });
    this.#child = child;
    let end: (cause: string) => void = () => undefined;
    this.#ended = new Promise((resolve) => {
      end = (cause) => {
        onEnd(cause);
        resolve();
      };
      child.once('exit', (code, signal) =>
        end(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
      );
      child.once('error', (error) => {
        if (child.pid === undefined) end(`it could not be started: ${error.message}`);
      });
    });
    const mute = setTimeout(() => {
      end(`it did not begin within ${BEGIN_MS / 1000} s`);
      child.kill('SIGKILL');
    }, BEGIN_MS);
    mute.unref();
    child.once('message', () => clearTimeout(mute));
    child.once('exit', () => clearTimeout(mute));
    child.on('message', (message: FromChild) => onMessage(message));
    this.tell(assignment);
  }

  /** A process that has just died hears nothing: its end is reported anyway. */
  tell(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Returns when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
