import type { Fleet } from '../../src/serving/policies/policy.ts';

const sizes = [16, 32, 48, 64];

/** c(16) and c(64) of Inception-v3 in the paper, ms; between them c is a line, and the other models' have its shape. */
const C16 = 70;
const C64 = 235;

/** By the number of rows. */
const lines = Float64Array.from({ length: 65 }, (_, rows) => {
  const size = sizes.find((each) => each >= rows) ?? 64;
  return C16 + ((C64 - C16) * (size - 16)) / 48;
});

const line = (rows: number): number => lines[rows] ?? C64;

/** One model: Inception-v3. */
export const single: Fleet = {
  members: 1,
  sizes,
  accuracy: [0, 1],
  stations: [{ members: 1, servers: 1 }],
  latencyMs: (_, rows) => line(rows),
  margin: 1,
};

const c64 = [500, 373, 235];

/**
 * Inception-ResNet-v2, Inception-v4 and Inception-v3, the most accurate first, each on a device of its own. Of a pair the
 * better member decides; the accuracy of all three comes from correlated errors.
 */
export const three: Fleet = {
  members: 3,
  sizes,
  //         –  1     2     1+2   3     1+3   2+3   1+2+3
  accuracy: [0, 0.804, 0.802, 0.804, 0.78, 0.804, 0.802, 0.8204],
  stations: [
    { members: 1, servers: 1 },
    { members: 2, servers: 1 },
    { members: 4, servers: 1 },
  ],
  latencyMs: (member, rows) => (line(rows) * (c64[member] ?? 0)) / C64,
  margin: 1,
};
