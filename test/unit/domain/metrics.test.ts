import { describe, expect, test } from 'vitest';
import { accuracy, areaUnderCurve, baseline, logLoss, macroF1 } from '../../../src/domain/metrics.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { askPython, hasPython } from '../../support/python-peer.ts';

describe('by hand', () => {
  test('macro F1 leaves out classes that do not occur, and counts predictions of no class as wrong', () => {
    expect(macroF1([0, 0, 1], [0, 1, 1], 3)).toBeCloseTo((2 / 3 + 2 / 3) / 2, 12);
    expect(macroF1([0, 0xffff], [0, 1], 2)).toBeCloseTo(0.5, 12);
  });

  test('log loss is the mean of −ln p, and one sure mistake is not infinite', () => {
    expect(logLoss(Float32Array.of(0.5, 0.5, 0.25, 0.75), [0, 1])).toBeCloseTo(
      -(Math.log(0.5) + Math.log(0.75)) / 2,
      9,
    );
    expect(logLoss(Float32Array.of(0, 1), [0])).toBeCloseTo(23 * Math.LN2, 9);
  });

  test('equal probabilities share their ranks under the curve', () => {
    expect(areaUnderCurve(Float32Array.of(0.5, 0.5, 0.5, 0.5), [0, 1])).toBe(0.5);
    expect(areaUnderCurve(Float32Array.of(0.9, 0.1, 0.6, 0.4, 0.6, 0.4, 0.2, 0.8), [0, 0, 1, 1])).toBe(0.875);
    expect(areaUnderCurve(Float32Array.of(1, 0), [0])).toBe(0.5); // nothing to compare with
  });

  test('a baseline answers without looking', () => {
    const labels = [0, 0, 0, 1];
    expect(baseline('accuracy', labels, 3)).toBe(0.75);
    expect(baseline('macro_f1', labels, 3)).toBeCloseTo(macroF1([0, 0, 0, 0], labels, 3), 12);
    const shares = Float32Array.from(labels.flatMap(() => [0.75, 0.25, 0]));
    expect(baseline('likelihood', labels, 3)).toBeCloseTo(Math.exp(-logLoss(shares, labels)), 9);
    expect(baseline('auc', labels, 3)).toBe(0.5);
    expect(baseline('map50', labels, 3)).toBe(0);
    expect([baseline('accuracy', [], 3), baseline('macro_f1', [], 3)]).toEqual([0, 0]);
  });
});

const hasScikit = hasPython('sklearn');

const peer = `
import json, sys, numpy as np
from sklearn import metrics as m
d = json.load(sys.stdin)
p = np.array(d["p"], dtype=np.float32); y = np.array(d["y"]); c = list(range(p.shape[1])); said = p.argmax(1)
print(json.dumps([m.accuracy_score(y, said), m.f1_score(y, said, average="macro"), m.log_loss(y, p, labels=c),
  float(np.mean([m.roc_auc_score(y == k, p[:, k]) for k in c]))]))`;

test.skipIf(!hasScikit)("equals scikit-learn's", () => {
  const rng = createRng(11);
  for (const classes of [2, 5]) {
    const rows = Array.from({ length: 200 }, () => {
      const raw = Array.from({ length: classes }, () => Math.round(rng.uniform() * 8) + 0.5); // with ties
      const sum = raw.reduce((all, one) => all + one, 0);
      return raw.map((one) => Math.fround(one / sum));
    });
    const y = rows.map((_, i) => (i < classes ? i : Math.floor(rng.uniform() * classes)));
    const p = Float32Array.from(rows.flat());
    const said = rows.map((row) => row.indexOf(Math.max(...row)));
    const theirs = askPython(peer, { p: rows, y }) as number[];
    const ours = [accuracy(said, y), macroF1(said, y, classes), logLoss(p, y), areaUnderCurve(p, y)];
    for (const [i, value] of ours.entries()) expect(value).toBeCloseTo(theirs[i] ?? Number.NaN, 5);
  }
});
