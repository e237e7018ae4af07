import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KEPT_CLASSES, KeptProbabilities, keepProbabilities } from '../../../../src/domain/ensembles/kept-answers.ts';
import type { Panel, PanelMember } from '../../../../src/domain/ensembles/panel.ts';
import type { EnsembleRule } from '../../../../src/domain/ensembles/rule.ts';
import { addCalibrated } from '../../../../src/domain/ensembles/temperature.ts';
import { classification } from '../../../../src/domain/kinds/classification.ts';
import { detection } from '../../../../src/domain/kinds/detection.ts';
import { regression } from '../../../../src/domain/kinds/regression.ts';
import { accuracy, logLoss } from '../../../../src/domain/metrics.ts';
import type { TensorData } from '../../../../src/domain/tensor.ts';
import { majorityVote } from '../../../../src/domain/vote.ts';
import { createRng } from '../../../../src/runtime/rng.ts';

const member = (candidate: number, changes: Partial<PanelMember> = {}): PanelMember => ({
  ...{ candidate, score: 0.5, weight: 1, temperature: 1 },
  ...changes,
});
const all = (panel: Panel): Int32Array => Int32Array.from({ length: panel.rows }, (_, row) => row);
const scoreOf = (panel: Panel, rule: EnsembleRule, members: PanelMember[], metric?: 'likelihood' | 'auc'): number =>
  panel.score([{ rows: all(panel), ensemble: { rule, members } }], metric);

/** Probabilities of rows for each of three members. */
function answered(seed: number, { rows, classes }: { rows: number; classes: number }) {
  const rng = createRng(seed);
  const outputs = [0, 1, 2].map(() => {
    const data = Float32Array.from({ length: rows * classes }, () => Math.exp(2 * rng.normal()));
    for (let row = 0; row < rows; row++) {
      const part = data.subarray(row * classes, (row + 1) * classes);
      const sum = part.reduce((total, p) => total + p, 0);
      part.forEach((p, c) => {
        part[c] = p / sum;
      });
    }
    return data;
  });
  const truth = Uint16Array.from({ length: rows }, () => rng.below(classes));
  return { outputs, truth };
}

function classPanel(seed: number, size: { rows: number; classes: number }, metric?: 'likelihood' | 'auc') {
  const { rows, classes } = size;
  const { outputs, truth } = answered(seed, size);
  const members = outputs.map((data) => {
    const answers: TensorData = { dtype: 'float32', shape: [rows, classes], data };
    return { ballots: classification.ballots(answers), kept: classification.kept(answers) };
  });
  return { outputs, truth, panel: classification.panel(members, truth, { classes, metric })! };
}

describe('kept probabilities', () => {
  it('are all of few classes, and the largest of many', () => {
    const few = Float32Array.of(0.2, 0.8, 0.6, 0.4);
    expect(keepProbabilities(few, 2)).toEqual(few);
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 33, max: 40 }), (seed, classes) => {
        const data = answered(seed, { rows: 1, classes }).outputs[0]!;
        const kept = new KeptProbabilities(keepProbabilities(data, classes), classes);
        const largest = Array.from(data).sort((a, b) => b - a);
        const labels = Array.from({ length: kept.width }, (_, k) => kept.label(0, k));
        expect(labels.map((label) => data[label])).toEqual(largest.slice(0, KEPT_CLASSES));
        const sum = Array.from(data, (_, label) => kept.of(0, label)).reduce((total, p) => total + p, 0);
        expect(sum).toBeCloseTo(1, 5);
      }),
    );
  });

  it('are of at most 2 MB, of rows that are evenly spread', () => {
    const kept = keepProbabilities(new Float32Array(300_000 * 2), 2);
    expect(kept.byteLength).toBe(2 * 2 ** 20);
    const many = keepProbabilities(new Float32Array(20_000 * 100), 100);
    expect(many.byteLength).toBeLessThanOrEqual(2 * 2 ** 20);
  });
});

describe('a panel of classifiers', () => {
  it('scores weighted probabilities as they are answered, whatever the number of classes', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 32 }), (seed, classes) => {
        const rows = 30;
        const { outputs, truth, panel } = classPanel(seed, { rows, classes });
        const members = [0, 1, 2].map((m) => member(m, { weight: 0.2 + m / 5, temperature: [0.7, 1, 2.5][m]! }));
        const sums = Float32Array.from({ length: rows * classes });
        for (let row = 0; row < rows; row++) {
          const into = new Float64Array(classes);
          for (const { candidate, weight, temperature } of members)
            addCalibrated(into, { output: outputs[candidate]!, at: row * classes, weight: weight / 1.2, temperature });
          sums.set(into, row * classes);
        }
        const names = Array.from({ length: classes }, (_, c) => `c${c}`);
        const answers = classification.answers(names, 'weighted');
        const said = Array.from(truth, (_, row) => names.indexOf(answers.answer({ outputs, members, rows }, row)));
        expect(scoreOf(panel, 'weighted', members)).toBe(accuracy(said, truth));
        expect(scoreOf(panel, 'weighted', members, 'likelihood')).toBeCloseTo(Math.exp(-logLoss(sums, truth)), 5);
      }),
      { numRuns: 30 },
    );
  });

  it('says the same of many classes from the largest of them', () => {
    const [rows, classes] = [200, 60];
    const { outputs, truth, panel } = classPanel(3, { rows, classes });
    const members = [member(0, { weight: 0.6, temperature: 1.5 }), member(1, { weight: 0.4 })];
    const names = Array.from({ length: classes }, (_, c) => `c${c}`);
    const answers = classification.answers(names, 'weighted');
    const batch = { outputs: outputs.slice(0, 2), members, rows };
    const said = Array.from(truth, (_, row) => names.indexOf(answers.answer(batch, row)));
    expect(Math.abs(scoreOf(panel, 'weighted', members) - accuracy(said, truth))).toBeLessThan(0.02);
  });

  it('counts votes as they are counted in answers', () => {
    const { outputs, truth, panel } = classPanel(5, { rows: 50, classes: 3 });
    const votes = Array.from(truth, (_, row) =>
      majorityVote(
        outputs.map((output) => {
          const part = Array.from(output.subarray(row * 3, row * 3 + 3));
          return part.indexOf(Math.max(...part));
        }),
      ),
    );
    expect(
      scoreOf(
        panel,
        'vote',
        [0, 1, 2].map((m) => member(m)),
      ),
    ).toBe(accuracy(votes, truth));
  });

  it('fits weights by the log loss of calibrated probabilities', () => {
    const [rows, classes] = [40, 4];
    const { outputs, truth, panel } = classPanel(9, { rows, classes });
    const temperatures = [2, 0.8, 1];
    const loss = panel.lossOf(temperatures)(Uint8Array.of(3, 1, 0), all(panel));
    const sums = new Float32Array(rows * classes);
    for (let row = 0; row < rows; row++) {
      const into = new Float64Array(classes);
      [3, 1].forEach((count, m) => {
        const at = { output: outputs[m]!, at: row * classes, temperature: temperatures[m]!, weight: count / 4 };
        addCalibrated(into, at);
      });
      sums.set(into, row * classes);
    }
    expect(loss).toBeCloseTo(logLoss(sums, truth), 5);
  });

  it('joins the answers of several ensembles, each for its rows', () => {
    const { truth, panel } = classPanel(11, { rows: 40, classes: 3 }, 'auc');
    const [first, second] = [all(panel).subarray(0, 15), all(panel).subarray(15)];
    const alone = { rule: 'best', members: [member(0)] } as const;
    const parts = [first, second].map((rows) => ({ rows, ensemble: alone }));
    expect(panel.score(parts)).toBeCloseTo(panel.score([{ rows: all(panel), ensemble: alone }]), 12);
    expect(truth).toHaveLength(40);
  });

  it('is none if nothing was kept of a candidate', () => {
    const nothing = { ballots: Uint16Array.of(0, 1), kept: new Float32Array(0) };
    expect(classification.panel([nothing], Uint16Array.of(0, 1), { classes: 2 })).toBeUndefined();
  });
});

it('a panel of numbers fits squared errors, absolute ones for mae, and scores the weighted mean', () => {
  const truth = Float32Array.of(1, 2, 3, 6);
  const members = [
    [2, 3, 4, 7],
    [0, 1, 2, 5],
  ].map((numbers) => ({ ballots: Float32Array.from(numbers), kept: new Float32Array(0) }));
  const panel = regression.panel(members, truth, { classes: 0 })!;
  expect(panel.lossOf([1, 1])(Uint8Array.of(1, 1), all(panel))).toBe(0);
  expect(panel.lossOf([1, 1])(Uint8Array.of(3, 1), all(panel))).toBeCloseTo(0.25, 12);
  expect(scoreOf(panel, 'weighted', [member(0, { weight: 0.5 }), member(1, { weight: 0.5 })])).toBe(1);
  const byMae = regression.panel(members, truth, { classes: 0, metric: 'mae' })!;
  expect(byMae.lossOf([1, 1])(Uint8Array.of(3, 1), all(byMae))).toBeCloseTo(0.5, 12);
});

it('a panel of detectors scores fused boxes by their mean average precision', () => {
  const tensor = (images: readonly (readonly number[])[]): TensorData => {
    const data = Float32Array.from(images.flat());
    return { dtype: 'float32', shape: [images.length, 1, 6], data };
  };
  const [cat, dog] = [
    { label: 0, x: 10, y: 10, w: 40, h: 40 },
    { label: 1, x: 60, y: 60, w: 30, h: 30 },
  ];
  const labels = [[cat], [dog], [cat]];
  const nothing = [0, 0, 0, 0, 0, 0];
  const seesCats = tensor([[0, 0.9, 12, 10, 40, 40], nothing, [0, 0.8, 10, 10, 40, 40]]);
  const seesDogs = tensor([nothing, [1, 0.7, 60, 60, 30, 30], nothing]);
  const members = [seesCats, seesDogs].map((answers) => ({
    ballots: detection.ballots(answers),
    kept: detection.kept(answers),
  }));
  const panel = detection.panel(members, detection.truth(labels), { classes: 2 })!;
  expect(panel.rows).toBe(3);
  expect(scoreOf(panel, 'best', [member(0)])).toBe(0.5);
  expect(scoreOf(panel, 'vote', [member(1), member(0)])).toBe(0.5);
  expect(scoreOf(panel, 'weighted', [member(0), member(1)])).toBe(1);
  const loss = panel.lossOf([1, 1]);
  expect([loss(Uint8Array.of(1, 0), all(panel)), loss(Uint8Array.of(1, 1), all(panel))]).toEqual([0.5, 0]);
  expect(loss(Uint8Array.of(1, 1), Int32Array.of(1, 1, 1))).toBe(0);
  const given = [seesCats, seesDogs].map((answers) => ({ ...member(0), answers, classes: ['cat', 'dog'] }));
  const data = { classes: ['cat', 'dog'], rule: 'weighted' } as const;
  expect(detection.scoreEnsemble(given, labels, data)).toBe(1);
});
