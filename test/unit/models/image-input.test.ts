import { expect, it } from 'vitest';
import { Values } from '../../../src/graph/network.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { readImages } from '../../../src/models/image/input.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { forward } from './detection/forward.ts';

it('the pixels of a patch are channels of one position: by colour, row and column', async () => {
  const [images, colours, side, patch] = [2, 3, 8, 4];
  const rng = createRng(1);
  const data = Uint8Array.from({ length: images * colours * side * side }, () => rng.below(256));
  const state = { side, mean: [0, 10, 20], deviation: [1, 2, 4] };
  const read = await forward({ image: { dtype: 'uint8', shape: [images, colours, side, side], data } }, (g, of) =>
    readImages(Tape.forInference(g), new Values([['image', of('image')]]), state, patch),
  );
  const [channels, positions] = [colours * patch * patch, side / patch];
  expect(read).toHaveLength(images * channels * positions * positions);
  read.forEach((value, i) => {
    const [x, y] = [i % positions, Math.floor(i / positions) % positions];
    const channel = Math.floor(i / positions ** 2) % channels;
    const image = Math.floor(i / positions ** 2 / channels);
    const colour = Math.floor(channel / patch ** 2);
    const [row, column] = [patch * y + (Math.floor(channel / patch) % patch), patch * x + (channel % patch)];
    const byte = data[((image * colours + colour) * side + row) * side + column] as number;
    expect(value).toBeCloseTo((byte - (state.mean[colour] ?? 0)) / (state.deviation[colour] ?? 1), 3);
  });
});
