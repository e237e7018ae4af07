import type { QueueView } from '../policies/policy.ts';

/** So many are removed one by one. */
const FEW = 8;

/**
 * Waiting requests, earliest deadline first, and first come first served among equals. Most arrive in the order of
 * their deadlines.
 */
export class DeadlineQueue<T extends { readonly deadlineMs: number }> implements QueueView {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  deadlineMs(place: number): number {
    return this.#items[this.#head + place]?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  at(place: number): T | undefined {
    return this.#items[this.#head + place];
  }

  insert(item: T): void {
    const last = this.#items[this.#items.length - 1];
    if (this.length === 0 || last === undefined || last.deadlineMs <= item.deadlineMs) this.#items.push(item);
    else this.#items.splice(this.#after(item.deadlineMs), 0, item);
  }

  remove(item: T): void {
    let place = this.#after(item.deadlineMs);
    while (place > this.#head && this.#items[place - 1] !== item) place--;
    if (place > this.#head) this.#items.splice(place - 1, 1);
  }

  clear(): void {
    this.#items.length = 0;
    this.#head = 0;
  }

  /** The first ones, at most `rows`. */
  peek(rows: number): T[] {
    return this.#items.slice(this.#head, this.#head + rows);
  }

  /** Removes these; many in one pass, since removing a single one also takes linear time, by `stays` of the others. */
  removeAll(items: readonly T[], stays: (item: T) => boolean): void {
    if (items.length > FEW) this.keepOnly(stays);
    else for (const item of items) this.remove(item);
  }

  keepOnly(stays: (item: T) => boolean): void {
    const items: T[] = [];
    for (let place = this.#head; place < this.#items.length; place++) {
      const item = this.#items[place] as T;
      if (stays(item)) items.push(item);
    }
    this.#items = items;
    this.#head = 0;
  }

  /** Takes up to `rows` from place `from`, while `fits` returns true; at least one. */
  take(from: number, rows: number, fits: (item: T) => boolean = () => true): T[] {
    const begin = this.#head + from;
    let end = begin;
    while (end < this.#items.length && end < begin + rows && (fits(this.#items[end] as T) || end === begin)) end++;
    if (from > 0) return this.#items.splice(begin, end - begin);
    const taken = this.#items.slice(begin, end);
    this.#head = end;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }

  /** The first place with a later deadline. */
  #after(deadlineMs: number): number {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle] as T).deadlineMs <= deadlineMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
