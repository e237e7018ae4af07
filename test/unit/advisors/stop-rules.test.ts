import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TrialHistory } from '../../../src/advisors/advisor.ts';
import { GRACE_EPOCHS, MIN_PEERS, medianRule } from '../../../src/advisors/stop-rules/median-rule.ts';
import { PATIENCE_EPOCHS, stagnation } from '../../../src/advisors/stop-rules/stagnation.ts';
import { MIN_ON_RUNG, REDUCTION, successiveHalving } from '../../../src/advisors/stop-rules/successive-halving.ts';

const trial = (number: number, scores: number[], family = 'a'): TrialHistory => ({
  number,
  family,
  knobs: {},
  scores,
  ended: false,
});

/** A trial that is `score` after each of its epochs. */
const flat = (number: number, score: number, epochs: number): TrialHistory =>
  trial(
    number,
    Array.from({ length: epochs }, () => score),
  );

describe('stagnation', () => {
  const judge = (scores: number[]) => stagnation(trial(1, scores), []);

  test('stops after so many epochs without a better score, and not before', () => {
    const stagnant = Array.from({ length: PATIENCE_EPOCHS + 1 }, () => 0.5);
    expect(judge(stagnant)).toBe('stop');
    expect(judge(stagnant.slice(1))).toBe('continue');
    expect(judge([...stagnant, 0.6])).toBe('continue');
  });

  test('stops a long schedule only at its end, unless the scores fall', () => {
    const decide = (...scores: number[]) => stagnation({ ...trial(1, scores), epochs: 40 }, []);
    const rising = [...Array(10).fill(0.3), 0.6, ...Array(18).fill(0.5)]; // one lucky epoch, then better than before
    expect(decide(...rising)).toBe('continue');
    expect(decide(...rising, 0.5)).toBe('stop'); // three quarters are done
    const falling = [...Array(10).fill(0.6), ...Array(10).fill(0.5)];
    expect(decide(...falling.slice(0, 10))).toBe('continue');
    expect(decide(...falling)).toBe('stop');
  });

  test('never stops a trial that gets better all the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), (epochs) => {
        expect(judge(Array.from({ length: epochs }, (_, i) => i / 100))).toBe('continue');
      }),
    );
  });
});

describe('the median rule', () => {
  const peers = [0.5, 0.6, 0.7, 0.8, 0.9].map((score, i) => flat(i + 1, score, 10));

  test('stops what is below the median of its peers, and nothing at or above it', () => {
    expect(medianRule(flat(9, 0.69, GRACE_EPOCHS), peers)).toBe('stop');
    expect(medianRule(flat(9, 0.7, GRACE_EPOCHS), peers)).toBe('continue');
  });

  test('waits for the first epochs, and for enough peers that got so far', () => {
    expect(peers).toHaveLength(MIN_PEERS);
    expect(medianRule(flat(9, 0.1, GRACE_EPOCHS - 1), peers)).toBe('continue');
    expect(medianRule(flat(9, 0.1, GRACE_EPOCHS), peers.slice(1))).toBe('continue');
    expect(medianRule(flat(9, 0.1, 11), peers)).toBe('continue');
  });

  test('compares within the family', () => {
    const others = peers.map((peer) => ({ ...peer, family: 'b' }));
    expect(medianRule(flat(9, 0.1, GRACE_EPOCHS), others)).toBe('continue');
  });

  test('never stops the best', () => {
    const curve = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(curve, { minLength: 6, maxLength: 20 }), (curves) => {
        const study = curves.map((scores, i) => trial(i + 1, scores));
        const best = study.reduce((a, b) => (Math.max(...a.scores) >= Math.max(...b.scores) ? a : b));
        const champion = { ...best, scores: [Math.max(...best.scores), ...best.scores.slice(1)] };
        expect(medianRule(champion, study)).toBe('continue');
        expect(successiveHalving(champion, study)).toBe('continue');
      }),
    );
  });
});

describe('successive halving', () => {
  /** Trials with scores 0.01, 0.02, …, all at the first rung. */
  const rung = (size: number) => Array.from({ length: size }, (_, i) => flat(i + 1, (i + 1) / 100, REDUCTION));

  test('lets one third of a rung go on', () => {
    for (const size of [9, 10, 12, 27]) {
      const study = rung(size);
      const promoted = study.filter((each) => successiveHalving(each, study) === 'continue');
      expect(promoted.map(({ number }) => number)).toEqual(
        study.map(({ number }) => number).slice(-Math.ceil(size / REDUCTION)),
      );
    }
  });

  test('lets all go on while a rung has few trials, and below the first rung', () => {
    const study = rung(MIN_ON_RUNG - 1);
    expect(study.map((each) => successiveHalving(each, study))).not.toContain('stop');
    expect(successiveHalving(flat(99, 0, REDUCTION - 1), rung(27))).toBe('continue');
  });

  test('judges by the last rung that was reached, whatever came after it', () => {
    const study = rung(9);
    expect(successiveHalving(trial(99, [0.02, 0.02, 0.02, 0.9]), study)).toBe('stop');
    expect(successiveHalving(trial(99, [0.2, 0.2, 0.2, 0.01]), study)).toBe('continue');
  });
});
