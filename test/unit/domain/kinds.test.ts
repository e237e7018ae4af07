import { describe, expect, it } from 'vitest';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { classification } from '../../../src/domain/kinds/classification.ts';
import { cutOff, detection, objectsTensor } from '../../../src/domain/kinds/detection.ts';
import type { Box } from '../../../src/domain/task.ts';
import type { TensorData } from '../../../src/domain/tensor.ts';

const tensor = (shape: number[], values: number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
});

describe('kinds of tasks', () => {
  it('refuse labels of another kind', () => {
    expect(() => classification.truth([[]])).toThrow(RangeError);
    expect(() => detection.score(tensor([0, 1, 6], []), new Int32Array(0), { classes: [] })).toThrow(RangeError);
  });
});

describe('classification', () => {
  it('spreads a part of each target over the classes', () => {
    const shapes = { truth: { shape: [2] } };
    const { truth } = classification.targets(Int32Array.of(1, 0), Int32Array.of(0), {
      shapes,
      inputs: {},
      smoothing: 0.2,
    });
    expect(Array.from(truth?.data as Float32Array)).toEqual([0.1, 0.9].map(Math.fround));
  });

  it('votes for the likeliest class and scores by accuracy and macro F1', () => {
    const answers = tensor([3, 2], [0.9, 0.1, 0.2, 0.8, 0.6, 0.4]);
    expect(Array.from(classification.ballots(answers))).toEqual([0, 1, 0]);
    const { score, metrics } = classification.score(answers, Int32Array.of(0, 1, 1), { classes: ['no', 'yes'] });
    expect(score).toBeCloseTo(2 / 3);
    expect(metrics['macro_f1']).toBeCloseTo(2 / 3);
  });
});

describe('an ensemble of classifiers', () => {
  const [no, yes] = [
    [0.9, 0.1],
    [0.2, 0.8],
  ] as const;
  const member = (classes: string[], ...rows: (readonly number[])[]) => ({
    answers: tensor([rows.length, classes.length], rows.flat()),
    classes,
    ...unweighted(0.5),
  });
  const names = ['no', 'yes'];
  const labels = Int32Array.of(0, 1, 1);

  it('is scored by its votes, classes going by name', () => {
    const right = member(names, no, yes, yes);
    const turned = member(['yes', 'no'], yes, no, no); // says the same
    const wrong = member(names, yes, no, no);
    const score = (...members: (typeof right)[]) =>
      classification.scoreEnsemble(members, labels, { classes: names, rule: 'vote' });
    expect(score(right, turned, wrong)).toBe(1);
    expect(score(wrong, right, wrong)).toBe(0);
    expect(score(member(['cow', 'hen'], no, yes, yes))).toBe(0);
  });

  it.each(['likelihood', 'auc'] as const)(
    'is scored by %s as its best member is, 0 for classes it does not know',
    (metric) => {
      const classes = ['ant', ...names];
      const places = Int32Array.from(labels, (label) => label + 1);
      const best = member(['yes', 'no'], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]);
      const known = tensor([3, 3], [0, 0.6, 0.4, 0, 0.3, 0.7, 0, 0.8, 0.2]);
      const { score } = classification.score(known, places, { classes, metric });
      const members = [best, member(names, no, no, no)];
      expect(classification.scoreEnsemble(members, places, { classes, metric, rule: 'vote' })).toBe(score);
      expect([score > 0.4, score < 1]).toEqual([true, true]);
      expect(classification.votes(metric)).toBe(false);
    },
  );
});

describe('detection', () => {
  const cat: Box = { label: 0, x: 10, y: 20, w: 30, h: 40 };
  /** One image with the cat found at `x`, and an unused row. */
  const answer = (label: number, x: number): TensorData =>
    tensor([1, 2, 6], [label, 0.9, x, 20, 30, 40, 0, 0, 0, 0, 0, 0]);

  it('maps boxes to the square that their image is stretched to, and marks unused rows', () => {
    const frame = tensor([1, 2], [100, 200]);
    const image = tensor([1, 3, 50, 50], []);
    const encoding = { shapes: { objects: { shape: [2, 5] } }, inputs: { image, frame }, smoothing: 0 };
    const { objects } = detection.targets([[], [cat]], Int32Array.of(1), encoding);
    expect(objects?.shape).toEqual([1, 2, 5]);
    expect(Array.from(objects?.data as Float32Array)).toEqual([0, 5, 5, 20, 15, -1, 0, 0, 0, 0]);
  });

  it('keeps the largest objects of an image that has too many', () => {
    const object = (label: number, size: number) => ({ label, left: 0, top: 0, right: size, bottom: size });
    const { data } = objectsTensor([[object(0, 1), object(1, 3), object(2, 2)]], 2);
    expect([data[0], data[5]]).toEqual([1, 2]);
  });

  it('keeps whole objects rather than what is visible of others', () => {
    const object = (label: number, size: number) => ({ label, left: 0, top: 0, right: size, bottom: size });
    const { data } = objectsTensor([[object(cutOff, 3), object(0, 1), object(1, 2)]], 2);
    expect([data[0], data[5]]).toEqual([1, 0]);
  });

  it('scores mAP50, with AP75 and each class in addition', () => {
    const { score, metrics } = detection.score(answer(0, 16), [[cat]], { classes: ['cat', 'dog'] });
    expect(score).toBe(1);
    expect(metrics).toEqual({ map50: 1, ap75: 0, 'ap50:cat': 1 });
  });

  it('ranks epochs that find as much by how well their boxes fit', () => {
    const [tight, loose] = [10, 16].map((side) => detection.score(answer(0, side), [[cat]], { classes: ['cat'] }));
    expect(tight?.score).toBe(loose?.score);
    expect(detection.rank(tight!)).toBeGreaterThan(detection.rank(loose!));
  });

  it('lets the best member of an ensemble answer alone, its classes going by name', () => {
    const labels = [[{ ...cat, label: 1 }]];
    const knows = { answers: answer(0, 10), classes: ['cat'], ...unweighted(0.5) };
    const unrelated = { answers: answer(1, 10), classes: ['cow', 'hen'], ...unweighted(0.5) };
    const data = { classes: ['ant', 'cat'], rule: 'vote' } as const;
    expect(detection.scoreEnsemble([knows, unrelated], labels, data)).toBe(1);
    expect(detection.scoreEnsemble([unrelated, knows], labels, data)).toBe(0);
    expect(detection.votes()).toBe(false);
  });
});
