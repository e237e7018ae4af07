import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkBoxes } from '../../../src/domain/kinds/boxes.ts';
import { BadData } from '../../../src/errors/errors.ts';

const size = { width: 100, height: 50 };
const box = { label: 'apple', x: 10, y: 20, w: 30, h: 25 };

test('accepts boxes inside the image unchanged, and an image without any', () => {
  expect(checkBoxes([box, { ...box, x: 0, y: 0, w: 100, h: 50 }], size)).toEqual([
    box,
    { ...box, x: 0, y: 0, w: 100, h: 50 },
  ]);
  expect(checkBoxes([], size)).toEqual([]);
});

test('clips what sticks out by a pixel, so that no box leaves the image', () => {
  expect(checkBoxes([{ ...box, x: -1, y: -0.5, w: 102, h: 51.5 }], size)).toEqual([
    { ...box, x: 0, y: 0, w: 100, h: 50 },
  ]);
  const pixel = fc.double({ min: -1, max: 101, noNaN: true });
  fc.assert(
    fc.property(fc.record({ label: fc.constant('a'), x: pixel, y: pixel, w: pixel, h: pixel }), (any) => {
      try {
        const [{ x, y, w, h } = box] = checkBoxes([any], size);
        return x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 100 + 1e-9 && y + h <= 50 + 1e-9;
      } catch (error) {
        return error instanceof BadData;
      }
    }),
  );
});

test.each([
  [{}, 'not an array'],
  ['apple', 'not an array'],
  [[box, 'apple'], 'Box 2 is "apple" and not an object'],
  [[{ ...box, width: 3 }], 'unknown key "width"'],
  [[{ ...box, label: 7 }], 'no label'],
  [[{ ...box, label: '' }], 'no label'],
  [[{ ...box, w: undefined }], 'has no w'],
  [[{ ...box, w: '30' }], 'a w that is not a number'],
  [[{ ...box, w: 0 }], 'a size of 0 × 25'],
  [[{ ...box, h: -3 }], 'a size of 30 × -3'],
  [[{ ...box, x: 71.5 }], 'spans 71.5 to 101.5 by 20 to 45, and the image is 100 × 50'],
  [[{ ...box, y: -2 }], 'spans'],
  [[{ ...box, x: 100, w: 0.5 }], 'spans'],
])('refuses %j: %s', (value, fault) => {
  expect(() => checkBoxes(value, size)).toThrowError(BadData);
  try {
    checkBoxes(value, size);
  } catch (error) {
    const { message, detail = '', hint } = error as BadData;
    expect(`${message} ${detail}`).toContain(fault);
    expect(hint).toContain('"label"');
  }
});
