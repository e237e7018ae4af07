/** How many sessions are open for each role, of all its tokens. */
export class OpenSessions {
  readonly #max: number;
  readonly #open = new Map<string, number>();

  /** `max`: of one role, idle ones included. */
  constructor(max: number) {
    this.#max = max;
  }

  opened(role: string): void {
    this.#open.set(role, this.#of(role) + 1);
  }

  closed(role: string): void {
    const left = this.#of(role) - 1;
    if (left > 0) this.#open.set(role, left);
    else this.#open.delete(role);
  }

  /** Whether the role has more than it may keep: a session that is given back is closed then. */
  areMany(role: string): boolean {
    return this.#of(role) > this.#max;
  }

  #of(role: string): number {
    return this.#open.get(role) ?? 0;
  }
}
