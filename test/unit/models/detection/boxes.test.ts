import { describe, expect, it } from 'vitest';
import { intersectionOverUnion } from '../../../../src/domain/average-precision.ts';
import { cutOff } from '../../../../src/domain/kinds/detection.ts';
import { Tape } from '../../../../src/graph/tape.ts';
import { anchorBoxes, decodeOffsets, encodeOffsets, shapesOf } from '../../../../src/models/detection/anchors.ts';
import { detectionsAnswer } from '../../../../src/models/detection/answer.ts';
import { assign, match } from '../../../../src/models/detection/assign.ts';
import { overlaps } from '../../../../src/models/detection/overlap.ts';
import { suppress } from '../../../../src/models/detection/suppress.ts';
import { createRng } from '../../../../src/runtime/rng.ts';
import { floats, forward } from './forward.ts';

type Corners = [number, number, number, number];

const rng = createRng(5);
const randomBox = (): Corners => {
  const [x, y] = [rng.uniform() * 60, rng.uniform() * 60];
  return [x, y, x + 4 + rng.uniform() * 36, y + 4 + rng.uniform() * 36];
};
const randomBoxes = (count: number): Corners[] => Array.from({ length: count }, randomBox);
const iou = ([ax, ay, ar, ab]: Corners, [bx, by, br, bb]: Corners): number =>
  intersectionOverUnion(
    { label: 0, x: ax, y: ay, w: ar - ax, h: ab - ay },
    { label: 0, x: bx, y: by, w: br - bx, h: bb - by },
  );

describe('overlaps', () => {
  it('are those that average precision is measured by', async () => {
    const [a, b] = [randomBoxes(7), randomBoxes(6)];
    const found = await forward({ a: floats([7, 4], a.flat()), b: floats([2, 3, 4], b.flat()) }, (g, of) =>
      overlaps(g, of('a'), of('b')),
    );
    const expected = [0, 1].flatMap((n) =>
      a.flatMap((one) => b.slice(3 * n, 3 * n + 3).map((other) => iou(one, other))),
    );
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 5);
    });
  });
});

describe('anchors', () => {
  it('lie around the centres of pixels, row by row, with the given areas and ratios', async () => {
    const shapes = shapesOf(16, [1, 4]);
    const boxes = await forward({}, (g) => anchorBoxes(g, 16, [{ stride: 8, shapes }]));
    expect(boxes.slice(0, 8)).toEqual([-4, -4, 12, 12, -12, 0, 20, 8]);
    expect(boxes.slice(8, 12)).toEqual([4, -4, 20, 12]); // the next pixel to the right
    expect(boxes).toHaveLength(4 * 2 * 4);
  });

  it('move onto any box by the offsets that are worked out for it', async () => {
    const [from, to] = [randomBoxes(20), randomBoxes(20)];
    const feeds = { from: floats([20, 4], from.flat()), to: floats([1, 20, 4], to.flat()) };
    const moved = await forward(feeds, (g, of) =>
      decodeOffsets(Tape.forInference(g), encodeOffsets(g, of('to'), of('from')), of('from')),
    );
    moved.forEach((value, i) => {
      expect(value).toBeCloseTo(to.flat()[i] as number, 2);
    });
  });
});

describe('matching', () => {
  const anchors: Corners[] = [
    [0, 0, 10, 10],
    [0, 0, 10, 7],
    [30, 30, 40, 40],
    [60, 60, 90, 90],
  ];
  /** Of the first anchor's place; small, in the third's; an unused row. */
  const objects = [
    [1, 0, 0, 10, 10],
    [0, 33, 33, 36, 36],
    [-1, 0, 0, 0, 0],
  ];
  const options = { min: 0.9, max: 0.3 };
  const feeds = { anchors: floats([4, 4], anchors.flat()), objects: floats([1, 3, 5], objects.flat()) };

  it('gives an object the anchors with enough overlap, and at least the best one', async () => {
    const positives = (forced: boolean): Promise<number[]> =>
      forward(feeds, (g, of) => {
        const { fitness } = match(g, of('anchors'), { objects: of('objects'), ...options, forced });
        return assign(g, fitness, { objects: of('objects'), classes: 2, anchors: of('anchors') }).positive;
      });
    expect(await positives(false)).toEqual([1, 0, 0, 0]);
    expect(await positives(true)).toEqual([1, 0, 1, 0]);
  });

  it('is not sure of anchors that overlap an object too little to have it and too much to be background', async () => {
    const certain = await forward(
      feeds,
      (g, of) => match(g, of('anchors'), { objects: of('objects'), ...options, forced: true }).notIgnored,
    );
    expect(certain).toEqual([0, 0, 1, 1]);
  });

  it('is not sure of anchors without object whose centre is in an object that is mostly cut off', async () => {
    const cut = [
      [1, 0, 0, 10, 10],
      [cutOff, 0, 0, 50, 50], // around the first three anchors, of which two have the object above
      [-1, 70, 70, 80, 80],
    ];
    const known = await forward({ ...feeds, objects: floats([1, 3, 5], cut.flat()) }, (g, of) => {
      const { fitness } = match(g, of('anchors'), { objects: of('objects'), min: 0.6, forced: true });
      return assign(g, fitness, { objects: of('objects'), classes: 2, anchors: of('anchors') }).known;
    });
    expect(known).toEqual([1, 1, 0, 1]);
  });

  it('hands each anchor the class and box of its own object', async () => {
    const classes = await forward(feeds, (g, of) => {
      const { fitness } = match(g, of('anchors'), { objects: of('objects'), ...options, forced: true });
      return assign(g, fitness, { objects: of('objects'), classes: 2, anchors: of('anchors') }).classes;
    });
    expect(classes).toEqual([0, 1, 0, 0, 1, 0, 0, 0]);
  });
});

describe('suppression', () => {
  it('keeps what greedy suppression, written out, keeps', async () => {
    const boxes = randomBoxes(40);
    const scores = boxes.map(() => rng.uniform());
    const order = scores.map((_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number));
    const kept: number[] = [];
    for (const i of order) {
      if ((scores[i] as number) <= 0.2) continue;
      if (kept.every((j) => iou(boxes[i] as Corners, boxes[j] as Corners) <= 0.4)) kept.push(i);
    }
    const left = await forward(
      { boxes: floats([1, 40, 4], boxes.flat()), scores: floats([1, 1, 40], scores) },
      (g, of) => suppress(g, { boxes: of('boxes'), scores: of('scores'), overlap: 0.4, minScore: 0.2 }),
    );
    expect(left.flatMap((score, i) => (score > 0 ? [i] : []))).toEqual(kept.sort((a, b) => a - b));
  });
});

describe('detections', () => {
  it('are sorted by score, in pixels of the source and within it, one for each object and class', async () => {
    const boxes: Corners[] = [
      [10, 20, 30, 40],
      [11, 20, 30, 40], // the same object once more
      [-5, 60, 25, 200], // reaches beyond the image
    ];
    const scores = [0.9, 0.8, 0, 0.7, 0, 0.95]; // of two classes
    const feeds = {
      boxes: floats([1, 3, 4], boxes.flat()),
      scores: floats([1, 2, 3], scores),
      frame: floats([1, 2], [300, 150]), // of a square with side 100
    };
    const found = await forward(
      feeds,
      (g, of) => detectionsAnswer(g, { boxes: of('boxes'), scores: of('scores'), frame: of('frame'), side: 100 }).value,
    );
    const rows = Array.from({ length: found.length / 6 }, (_, i) => found.slice(6 * i, 6 * i + 6));
    const expected = [
      [1, 0.95, 0, 90, 75, 60],
      [0, 0.9, 30, 30, 60, 30],
      [1, 0.7, 30, 30, 60, 30],
    ];
    expected.forEach((row, i) => {
      row.forEach((value, j) => {
        expect(rows[i]?.[j]).toBeCloseTo(value, 4);
      });
    });
    for (const row of rows.slice(3)) expect(row[1]).toBe(0);
  });

  it('are suppressed by what is visible of them', async () => {
    const boxes: Corners[] = [
      [0, 0, 50, 50],
      [-60, 0, 50, 50], // of which only the same part is in the image
    ];
    const feeds = {
      boxes: floats([1, 2, 4], boxes.flat()),
      scores: floats([1, 1, 2], [0.9, 0.8]),
      frame: floats([1, 2], [100, 100]),
    };
    const found = await forward(
      feeds,
      (g, of) => detectionsAnswer(g, { boxes: of('boxes'), scores: of('scores'), frame: of('frame'), side: 100 }).value,
    );
    expect([found[1], found[7]]).toEqual([expect.closeTo(0.9, 5), 0]);
  });

  it('are none if no score is high enough', async () => {
    const feeds = {
      boxes: floats([2, 1, 4], [0, 0, 9, 9, 0, 0, 9, 9]),
      scores: floats([2, 1, 1], [0.001, 0.002]),
      frame: floats([2, 2], [9, 9, 9, 9]),
    };
    const found = await forward(
      feeds,
      (g, of) => detectionsAnswer(g, { boxes: of('boxes'), scores: of('scores'), frame: of('frame'), side: 100 }).value,
    );
    expect([found[1], found[7]]).toEqual([0, 0]);
  });
});
