import type { Part, Question } from './queued-question.ts';

/** Questions that may wait for one model; more are refused (53400). At 10 µs a row this is a fraction of a second. */
export const MAX_QUEUED = 16_384;
/** And so many characters: images are long. */
const MAX_QUEUED_CHARS = 512 * 1024 * 1024;

/** What waits in one lane. */
export class Load {
  rows = 0;
  chars = 0;

  add({ text }: Question): void {
    this.rows++;
    this.chars += text.length;
  }

  remove({ text }: Question): void {
    this.rows--;
    this.chars -= text.length;
  }
}

/** Who has how much of a model's queue. */
export class Shares {
  readonly #load = new Load();
  readonly #parts = new Map<object, Part>();

  get rows(): number {
    return this.#load.rows;
  }

  get isFull(): boolean {
    return this.#load.rows >= MAX_QUEUED || this.#load.chars >= MAX_QUEUED_CHARS;
  }

  add(question: Question): void {
    this.#load.add(question);
    question.part = this.#partOf(question.session);
    question.part.rows++;
  }

  remove(question: Question): void {
    this.#load.remove(question);
    if (--question.part.rows === 0) this.#parts.delete(question.session);
  }

  /** The session that has most, where `session` has less than an even part; null where that has its part already. */
  mostGreedy(session: object): object | null {
    const own = this.#parts.get(session)?.rows ?? 0;
    const sessions = this.#parts.size + (own === 0 ? 1 : 0);
    if (own >= Math.floor(MAX_QUEUED / sessions)) return null;
    return [...this.#parts].reduce((most, next) => (next[1].rows > most[1].rows ? next : most))[0];
  }

  #partOf(session: object): Part {
    const known = this.#parts.get(session);
    if (known !== undefined) return known;
    const part: Part = { rows: 0 };
    this.#parts.set(session, part);
    return part;
  }
}
