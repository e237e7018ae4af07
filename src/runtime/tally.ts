/** Amounts by key, such as bytes or sessions of each role. A key that has none takes no room. */
export class Tally {
  readonly #amounts = new Map<string, number>();

  of(key: string): number {
    return this.#amounts.get(key) ?? 0;
  }

  add(key: string, amount: number): void {
    this.#amounts.set(key, this.of(key) + amount);
  }

  take(key: string, amount: number): void {
    const left = this.of(key) - amount;
    if (left > 0) this.#amounts.set(key, left);
    else this.#amounts.delete(key);
  }
}
