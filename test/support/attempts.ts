/** Attempts of a suite, counted; the number is printed at its end. */
export class Attempts {
  readonly #suite: string;
  #count = 0;
  #astray: string[] = [];

  constructor(suite: string) {
    this.#suite = suite;
  }

  /** Notes what an attempt came to, and what it may come to. */
  note(what: string, found: string, wanted: readonly string[]): void {
    this.#count++;
    if (!wanted.includes(found)) this.#astray.push(`${what}: ${found}, not ${wanted.join(' or ')}`);
  }

  /** What came out otherwise than it should since this was asked last. */
  astray(): string[] {
    const astray = this.#astray;
    this.#astray = [];
    return astray;
  }

  get count(): number {
    return this.#count;
  }

  print(): void {
    console.log(`${this.#suite}: ${this.#count} attempts`);
  }
}
