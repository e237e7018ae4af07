import { LimitReached } from '../errors/errors.ts';

export interface FairGateOptions {
  /** What enters, for errors: "predictions". */
  what: string;
  /** Places: of all roles together, and of one. */
  places: number;
  placesOfRole: number;
  /** Places in one role's queue. */
  waitingOfRole: number;
}

interface RoleAtGate {
  inside: number;
  waiting: (() => void)[];
}

/** Bounds what runs at the same time. Roles that wait take turns, so that no role's requests keep another's out. */
export class FairGate {
  readonly #options: FairGateOptions;
  /** In the order of their next turns. */
  readonly #roles = new Map<string, RoleAtGate>();
  #inside = 0;

  constructor(options: FairGateOptions) {
    this.#options = options;
  }

  /** Runs `work` in a place. Throws {@link LimitReached} if too many of the role's requests wait. */
  async run<T>(role: string, work: () => Promise<T>): Promise<T> {
    const entered = this.#enter(role);
    if (entered !== undefined) await entered;
    try {
      return await work();
    } finally {
      this.#leave(role);
    }
  }

  #enter(role: string): Promise<void> | undefined {
    const { what, places, placesOfRole, waitingOfRole } = this.#options;
    const queue = this.#roles.get(role) ?? { inside: 0, waiting: [] };
    this.#roles.set(role, queue);
    if (this.#inside < places && queue.inside < placesOfRole) {
      this.#take(queue);
      return undefined;
    }
    if (queue.waiting.length >= waitingOfRole) {
      throw new LimitReached(`too many ${what} of this role at the same time`, {
        detail: `${queue.inside} are in progress, and ${queue.waiting.length} wait.`,
        hint: 'Send fewer at the same time, and repeat this one later.',
      });
    }
    return new Promise((resolve) => queue.waiting.push(resolve));
  }

  #take(queue: RoleAtGate): void {
    queue.inside++;
    this.#inside++;
  }

  #leave(role: string): void {
    const queue = this.#roles.get(role) as RoleAtGate;
    queue.inside--;
    this.#inside--;
    if (queue.inside === 0 && queue.waiting.length === 0) this.#roles.delete(role);
    this.#admit();
  }

  #admit(): void {
    const { places, placesOfRole } = this.#options;
    if (this.#inside >= places) return;
    for (const [role, queue] of this.#roles) {
      if (queue.waiting.length === 0 || queue.inside >= placesOfRole) continue;
      this.#take(queue);
      queue.waiting.shift()?.();
      this.#roles.delete(role); // to the end of the turns
      this.#roles.set(role, queue);
      return;
    }
  }
}
