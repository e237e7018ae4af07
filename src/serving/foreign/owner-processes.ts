import { LimitReached, serverStopping } from '../../errors/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { fenceParts } from '../../runtime/limited/fence.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Service } from '../../runtime/service.ts';
import { Machine } from '../machine/machine.ts';
import { removeAbandonedFolders } from './owner-folder.ts';
import { OwnerProcess } from './owner-process.ts';

/** Processes that run at a time: one that is idle is ended for another owner's. */
const MAX_PROCESSES = 8;

export interface OwnerProcessesOptions {
  memoryBytes: number;
  /** Override of {@link MAX_PROCESSES}. */
  maxProcesses?: number;
  /** The processes have their folders in it. */
  parentDir: string;
  /** Override of the file that they run. */
  entry?: URL;
  logger: Logger;
}

interface Owner {
  process: OwnerProcess;
  /** Its batches run at the same time as those of the server's threads, and take no slot of theirs. */
  machine: Machine;
}

/** The processes of imported models, one for each owner. */
export class OwnerProcesses implements Service {
  readonly #options: OwnerProcessesOptions;
  readonly #owners = new Map<number, Owner>();
  /** Admitted, and not running yet: after a restart all of them are. */
  readonly #starting = new Set<OwnerProcess>();
  #isTold = false;
  #isStopped = false;

  constructor(options: OwnerProcessesOptions) {
    this.#options = options;
  }

  /** A folder that cannot be used is told of when a model is loaded: the server starts, and answers what it can. */
  async start(): Promise<void> {
    const { parentDir, logger } = this.#options;
    await removeAbandonedFolders(parentDir).catch((error: unknown) =>
      logger.warn({ err: String(error) }, 'folders of ended processes were not removed'),
    );
  }

  /** Ends all of them, whatever they do: who waits for a graph gets an error. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#owners.values()].map(({ process }) => process.stop()));
  }

  machineOf(owner: number): Machine {
    return this.#of(owner).machine;
  }

  processOf(owner: number): OwnerProcess {
    return this.#of(owner).process;
  }

  /** Starts another process, for which it makes room. Throws LimitReached if too many are at work. */
  async #admit<T>(process: OwnerProcess, start: () => Promise<T>): Promise<T> {
    await this.#tell();
    const ended = this.#superfluous(process);
    this.#starting.add(process); // at once: others are admitted meanwhile
    try {
      await ended?.end();
      if (this.#isStopped) throw serverStopping();
      return await start();
    } finally {
      this.#starting.delete(process);
    }
  }

  /** The one that has to end before another one starts, if any. */
  #superfluous(process: OwnerProcess): OwnerProcess | undefined {
    const { maxProcesses = MAX_PROCESSES } = this.#options;
    const others = [...this.#owners.values()]
      .map((each) => each.process)
      .filter((each) => each !== process && (each.isRunning || this.#starting.has(each)));
    if (others.length < maxProcesses) return undefined;
    const [idle] = others.filter((each) => each.isFree).sort((a, b) => a.usedMs - b.usedMs);
    if (idle !== undefined) return idle;
    throw new LimitReached('imported models of too many owners are at work', {
      detail: `A server runs ${maxProcesses} of their processes at a time.`,
      hint: 'Repeat the call later, or start another server.',
    });
  }

  #of(owner: number): Owner {
    const known = this.#owners.get(owner);
    if (known !== undefined) return known;
    const made = {
      process: new OwnerProcess({ ...this.#options, owner, admit: (process, start) => this.#admit(process, start) }),
      machine: new Machine({ slots: 1, clock: systemClock }),
    };
    this.#owners.set(owner, made);
    return made;
  }

  async #tell(): Promise<void> {
    if (this.#isTold) return;
    this.#isTold = true;
    const { away, reached } = await fenceParts();
    const { logger } = this.#options;
    if (reached.length === 0) logger.info({ away }, 'imported models run apart from these');
    else
      logger.warn(
        { away, reached },
        'this system does not keep imported models from all of these: unshare or setpriv is missing, or not allowed',
      );
  }
}
