import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { ActorCriticNetwork, type Experience } from '../../../src/serving/policies/network.ts';

const [INPUTS, ACTIONS] = [3, 4];
const create = (seed = 1): ActorCriticNetwork => new ActorCriticNetwork(INPUTS, ACTIONS, createRng(seed));

/** Weights of a size at which every part of the gradient shows; the first ones of the heads are all but 0. */
function lively(): ActorCriticNetwork {
  const network = create();
  const rng = createRng(2);
  const { hidden, heads, ...shape } = network.weights;
  network.restore({ ...shape, hidden: hidden.map(() => rng.normal()), heads: heads.map(() => 0.3 * rng.normal()) });
  return network;
}

const states = [Float64Array.of(0.5, -1, 0.2), Float64Array.of(-0.3, 0.8, 1), Float64Array.of(0, 0.1, -2)];
const decided = [
  { action: 0, target: 1.5 },
  { action: 2, target: -0.5 },
  { action: 3, target: 0.1 },
];
const lessonsOf = (network: ActorCriticNetwork): Experience[] =>
  decided.map((what, i) => ({ opinion: network.evaluate(states[i]!), ...what }));

const valuesOf = ({ weights }: ActorCriticNetwork): number[] => [...weights.hidden, ...weights.heads];

/**
 * By finite differences, of the mean of −A log π(a) − .01 H(π) + ½ (V − G)², where the advantages A = (G − V) / their spread stay
 * as they are.
 */
function slopesOf(network: ActorCriticNetwork): number[] {
  const errors = lessonsOf(network).map(({ opinion, target }) => target - opinion.value);
  const spread = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
  const { hidden, ...shape } = network.weights;
  const values = valuesOf(network);
  const probe = create();
  const lossAt = (weight: number, change: number): number => {
    const moved = values.with(weight, values[weight]! + change);
    probe.restore({ ...shape, hidden: moved.slice(0, hidden.length), heads: moved.slice(hidden.length) });
    const parts = decided.map(({ action, target }, i) => {
      const { probabilities, value } = probe.evaluate(states[i]!);
      const entropy = -probabilities.reduce((sum, p) => sum + p * Math.log(p), 0);
      return -(errors[i]! / spread) * Math.log(probabilities[action]!) - 0.01 * entropy + (value - target) ** 2 / 2;
    });
    return parts.reduce((a, b) => a + b, 0) / parts.length;
  };
  return values.map((_, weight) => (lossAt(weight, 1e-5) - lossAt(weight, -1e-5)) / 2e-5);
}

describe('the network of the actor-critic', () => {
  it('returns a distribution over actions', () => {
    const { probabilities } = lively().evaluate(states[0]!);
    expect(probabilities).toHaveLength(ACTIONS);
    expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  });

  it('makes Adam steps along the gradient, which equals finite differences', () => {
    const network = lively();
    const [first, second] = [1, 2].map(() => {
      const [slopes, values] = [slopesOf(network), valuesOf(network)];
      network.learn(lessonsOf(network));
      return { slopes, moved: valuesOf(network).map((value, i) => value - values[i]!) };
    }) as [{ slopes: number[]; moved: number[] }, { slopes: number[]; moved: number[] }];
    const large = first.slopes.flatMap((slope, i) =>
      Math.min(Math.abs(slope), Math.abs(second.slopes[i]!)) > 1e-4 ? [i] : [],
    );
    expect(large.length).toBeGreaterThan(0.9 * first.slopes.length);
    for (const i of large) {
      const [one, two] = [first.slopes[i]!, second.slopes[i]!];
      expect(first.moved[i]).toBeCloseTo(-1e-3 * Math.sign(one), 6);
      const mean = (0.09 * one + 0.1 * two) / (1 - 0.9 ** 2);
      const square = (0.999 * 0.001 * one ** 2 + 0.001 * two ** 2) / (1 - 0.999 ** 2);
      expect(second.moved[i]).toBeCloseTo((-1e-3 * mean) / Math.sqrt(square), 6);
    }
  });

  it.each([
    ['nothing', null],
    ['undefined', undefined],
    ['a number', 1],
    ['an empty object', {}],
    ['other inputs', { ...create().weights, inputs: 2 }],
    ['other actions', { ...create().weights, actions: 3 }],
    ['too few weights', { ...create().weights, hidden: create().weights.hidden.slice(1) }],
    ['too many', { ...create().weights, heads: [...create().weights.heads, 0] }],
    ['no numbers', { ...create().weights, heads: create().weights.heads.with(3, Number.NaN) }],
    ['no list', { ...create().weights, hidden: 'x'.repeat(create().weights.hidden.length) }],
  ])('is not restored from %s', (_, weights) => {
    const network = create(3);
    const before = network.weights;
    expect(network.restore(weights)).toBe(false);
    expect(network.weights).toEqual(before);
  });
});
