/** Ids of 32-bit hashes, from 1 in the order of their first appearance; 0 means "not found". Open addressing. */
export class HashIndex {
  #keys: Int32Array;
  #numbers: Int32Array;
  #mask: number;
  #size = 0;

  constructor(expected = 1024) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 2)));
    this.#keys = new Int32Array(slots);
    this.#numbers = new Int32Array(slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#size;
  }

  get(key: number): number {
    let slot = key & this.#mask;
    let number = this.#numbers[slot] as number;
    while (number !== 0 && this.#keys[slot] !== key) {
      slot = (slot + 1) & this.#mask;
      number = this.#numbers[slot] as number;
    }
    return number;
  }

  /** The key's id, a new one if necessary. */
  add(key: number): number {
    const known = this.get(key);
    if (known !== 0) return known;
    if (this.#size * 2 >= this.#keys.length) this.#grow();
    this.#size++;
    this.#insert(key, this.#size);
    return this.#size;
  }

  /** Keys by id; entry 0 is unused. */
  keys(): Int32Array {
    const keys = new Int32Array(this.#size + 1);
    this.#numbers.forEach((number, slot) => {
      if (number !== 0) keys[number] = this.#keys[slot] as number;
    });
    return keys;
  }

  #insert(key: number, number: number): void {
    let slot = key & this.#mask;
    while (this.#numbers[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#keys[slot] = key;
    this.#numbers[slot] = number;
  }

  #grow(): void {
    const keys = this.#keys;
    const numbers = this.#numbers;
    this.#keys = new Int32Array(keys.length * 2);
    this.#numbers = new Int32Array(keys.length * 2);
    this.#mask = keys.length * 2 - 1;
    numbers.forEach((number, slot) => {
      if (number !== 0) this.#insert(keys[slot] as number, number);
    });
  }
}
