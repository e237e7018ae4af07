import { isNumberArray } from '../runtime/frames/packed-message.ts';

/**
 * Of what an import says of its features and explanations, all members together. The largest tokenizers have 260,000 words and 510,000 pairs of
 * them; the coordinator decodes and encodes as many values as are allowed in a few seconds, and more would stop it.
 */
const MAX_VALUES = 4_000_000;
/** Arrays and objects take the most time. */
const MAX_CONTAINERS = 1_000_000;
/** Characters of texts, and bytes of arrays of numbers. */
const MAX_SIZE = 240 * 2 ** 20;
/** What tells of it recurses; JSON of a model has ten levels or so. */
const MAX_DEPTH = 100;

/** Whether a value is plain data within these limits. It does not recurse: the stack is what is attacked. */
export function isWithinExtent(whole: unknown): boolean {
  let [values, containers, size] = [0, 0, 0];
  let level: unknown[] = [whole];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return false;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string') size += value.length;
      else if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') return false;
      else if (typeof value === 'object' && value !== null && isNumberArray(value)) size += value.byteLength;
      else if (typeof value === 'object' && value !== null) {
        if (!isPlain(value) || ++containers > MAX_CONTAINERS) return false;
        const inside: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
        values += inside.length;
        if (values > MAX_VALUES) return false;
        if (inside !== value) for (const key of Object.keys(value)) size += key.length;
        for (const own of inside) next.push(own);
      }
      if (size > MAX_SIZE) return false;
    }
    level = next;
  }
  return true;
}

/** Maps, sets and the like would hide what is in them. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Array.prototype || prototype === Object.prototype || prototype === null;
}
