/** Seeded random numbers: equal seeds give equal streams on every machine. */
export interface Rng {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
  /** Fisher-Yates, in place. */
  shuffle(items: Int32Array): Int32Array;
  /** The four words of state, for continuing the stream. */
  state(): number[];
}

/** xoshiro128** (Blackman and Vigna 2018), seeded through splitmix32. */
export function createRng(seed: number | number[]): Rng {
  const s = new Uint32Array(typeof seed === 'number' ? splitmix32(seed) : seed);

  const next = (): number => {
    const a = s[0]!;
    const b = s[1]!;
    const c = s[2]!;
    const d = s[3]!;
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    s[2] = c ^ a;
    s[3] = d ^ b;
    s[1] = b ^ s[2];
    s[0] = a ^ s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    return result;
  };
  const uniform = (): number => next() / 4294967296;
  const below = (n: number): number => Math.floor(uniform() * n);

  return {
    uniform,
    below,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1);
        const swapped = items[i] as number;
        items[i] = items[j] as number;
        items[j] = swapped;
      }
      return items;
    },
    state: () => Array.from(s),
  };
}

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

function splitmix32(seed: number): number[] {
  let state = seed >>> 0;
  return Array.from({ length: 4 }, () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  });
}

/** Combines words into a 32-bit seed, so that each trial of a study has its own stream. */
export function deriveSeed(...words: number[]): number {
  return words.reduce((mixed, word) => splitmix32((Math.imul(mixed, 31) + word) >>> 0)[0] as number, 0x5bd1e995);
}
