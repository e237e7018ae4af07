import { describe, expect, it } from 'vitest';
import { type ChosenEnsemble, chooseEnsemble } from '../../../../src/domain/ensembles/choose.ts';
import type { EnsembleRule } from '../../../../src/domain/ensembles/rule.ts';
import { classification } from '../../../../src/domain/kinds/classification.ts';
import type { TensorData } from '../../../../src/domain/tensor.ts';
import { createRng } from '../../../../src/runtime/rng.ts';

const ROWS = 600;
const rules: EnsembleRule[] = ['weighted', 'vote', 'best'];

/** Two classes; each member sees the truth through noise of its own, and is surer than it should be. */
function chosenOf(
  noise: readonly number[],
  { seed = 1, asked = rules, families = noise.map(String) } = {},
): ChosenEnsemble {
  const rng = createRng(seed);
  const truth = Uint16Array.from({ length: ROWS }, () => rng.below(2));
  const members = noise.map((spread) => {
    const data = new Float32Array(2 * ROWS);
    truth.forEach((label, row) => {
      const sure = 1 / (1 + Math.exp(-3 * ((label === 1 ? 1 : -1) + spread * rng.normal())));
      data.set([1 - sure, sure], 2 * row);
    });
    const answers: TensorData = { dtype: 'float32', shape: [ROWS, 2], data };
    return { ballots: classification.ballots(answers), kept: classification.kept(answers) };
  });
  const panel = classification.panel(members, truth, { classes: 2 })!;
  return chooseEnsemble(panel, { families, rules: asked, uniform: createRng(seed).uniform });
}

describe('the chosen ensemble', () => {
  it('is weighted where members are unlike: two are better than the better one', () => {
    const { rule, members, score } = chosenOf([1.2, 1.3]);
    expect([rule, members.map(({ candidate }) => candidate)]).toEqual(['weighted', [0, 1]]);
    expect(members[0]!.weight).toBeGreaterThan(0.4);
    expect(members.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
    expect(score).toBeGreaterThan(chosenOf([1.2, 1.3], { asked: ['best'] }).score);
    expect(members.every(({ temperature }) => temperature > 1.2)).toBe(true);
  });

  it('is the best alone where an ensemble is no better', () => {
    expect(chosenOf([0.1, 0.1])).toMatchObject({ rule: 'best', score: 1, members: [{ candidate: 0 }] });
  });

  it('leaves out noise', () => {
    const { members } = chosenOf([0.8, 50, 60, 70]);
    expect(members.map(({ candidate }) => candidate)).toEqual([0]);
    expect(members[0]?.weight).toBe(1);
  });

  it('has three members at most, those with the largest weights', () => {
    const { members } = chosenOf([1.5, 1.5, 1.5, 1.5, 1.5, 1.5], { asked: ['weighted'] });
    expect(members).toHaveLength(3);
  });

  it('is the rule that was asked for, and a vote has one member of a family', () => {
    const { rule, members } = chosenOf([1, 1.1, 1.2], { asked: ['vote'], families: ['a', 'a', 'b'] });
    expect(rule).toBe('vote');
    expect(members.filter(({ candidate }) => candidate < 2)).toHaveLength(1);
  });

  it('is the same for equal seeds', () => {
    expect(chosenOf([1, 1.4, 2])).toEqual(chosenOf([1, 1.4, 2]));
  });

  it('has a score of rows that its weights were not fitted to: that of noise is no better than chance', () => {
    const scores = [1, 2, 3, 4].map((seed) => chosenOf([1e9, 1e9, 1e9], { seed, asked: ['weighted'] }).score);
    expect(scores.reduce((sum, score) => sum + score, 0) / 4).toBeLessThan(0.54); // 4 standard errors of 2,400 rows
  });
});
