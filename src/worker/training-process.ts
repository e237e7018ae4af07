import { type ChildProcess, fork } from 'node:child_process';
import { isSource, ownFile } from '../runtime/disk/own-file.ts';
import type { Assignment, FromChild, JoinAssignment, ToChild } from '../training/messages.ts';

export interface TrainingListener {
  onMessage(message: FromChild): void;
  /** The process ended or could not be started; `cause` describes why. */
  onEnd(cause: string): void;
}

const entry = ownFile(import.meta.url, '../training/child');

/** A process without a message after this time never sends one, for example for lack of memory. */
const BEGIN_MS = 60_000;

/** A child process that trains one trial: a crash in native code ends the child, not the worker. */
export class TrainingProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(assignment: Assignment | JoinAssignment, { onMessage, onEnd }: TrainingListener) {
    const child = fork(entry, {
      serialization: 'advanced', // preserves typed arrays
      stdio: ['ignore', 2, 2, 'ipc'], // stdout is reserved for the worker's output
      ...(isSource(entry) ? { execArgv: ['--import', 'tsx'] } : {}),
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
      end(`it did not start within ${BEGIN_MS / 1000} s`);
      child.kill('SIGKILL');
    }, BEGIN_MS);
    mute.unref();
    child.once('message', () => clearTimeout(mute));
    child.once('exit', () => clearTimeout(mute));
    child.on('message', (message: FromChild) => onMessage(message));
    this.send(assignment);
  }

  /** Messages to a process that has just died are dropped: its end is reported anyway. */
  send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
