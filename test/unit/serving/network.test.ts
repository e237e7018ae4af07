import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import {
  ActorCriticNetwork,
  type Experience,
  type NetworkWeights,
  scaled,
} from '../../../src/serving/policies/learned/network.ts';
import { ACTION_FEATURES, type Outlook, STATE_FEATURES } from '../../../src/serving/policies/learned/outlook.ts';

const create = (seed = 1): ActorCriticNetwork => new ActorCriticNetwork(createRng(seed));

/** Weights of a size at which every part of the gradient shows; those of the output are almost 0 at first. */
function lively(): ActorCriticNetwork {
  const network = create();
  const rng = createRng(2);
  const { actor, critic } = network.weights;
  network.restore({ actor: actor.map(() => 0.4 * rng.normal()), critic: critic.map(() => 0.4 * rng.normal()) });
  return network;
}

function outlookOf(prospects: number, seed: number): Outlook {
  const rng = createRng(seed);
  const normal = (length: number): Float64Array => Float64Array.from({ length }, () => rng.normal());
  return {
    prospects: Array.from({ length: prospects }, () => ({ subset: 1, from: 0, rows: 1, reward: 0 })),
    nextFreeMs: Number.POSITIVE_INFINITY,
    state: normal(STATE_FEATURES),
    actions: normal(prospects * ACTION_FEATURES),
  };
}

/** `shift`: what has changed since in the logarithm of the probability of the action. */
const decided = [
  { outlook: outlookOf(3, 1), action: 0, target: 1.5, shift: 0 },
  { outlook: outlookOf(5, 2), action: 2, target: -1.5, shift: 0.1 },
  { outlook: outlookOf(1, 3), action: 0, target: 0.1, shift: 0 },
  { outlook: outlookOf(4, 4), action: 1, target: 5, shift: 0.5 },
  { outlook: outlookOf(4, 5), action: 1, target: -5, shift: -0.5 },
  { outlook: outlookOf(4, 6), action: 3, target: -5, shift: 0.5 },
];

const experiencesWith = (network: ActorCriticNetwork): Experience[] =>
  decided.map(({ shift, ...experience }) => {
    const { probabilities, value } = network.evaluate(experience.outlook);
    const opinion = { probabilities: probabilities.map((p) => p * Math.exp(-shift)), value };
    return { ...experience, opinion, advantage: experience.target - value };
  });

const ENTROPY = 0.01;
const valuesOf = ({ actor, critic }: NetworkWeights): number[] => [...actor, ...critic];

/** Of the loss in the comment of `learn`, which is constant where a probability has changed by more than a fifth. */
function lossOf(network: ActorCriticNetwork, experiences: readonly Experience[]): number {
  const parts = experiences.map(({ outlook, opinion, action, target, advantage }) => {
    const { probabilities, value } = network.evaluate(outlook);
    const ratio = probabilities[action]! / opinion.probabilities[action]!;
    const gain = Math.min(ratio * advantage, Math.min(1.2, Math.max(0.8, ratio)) * advantage);
    const entropy = -probabilities.reduce((sum, p) => sum + p * Math.log(p), 0);
    return -gain - ENTROPY * entropy + (value - target) ** 2 / 2;
  });
  return parts.reduce((a, b) => a + b, 0) / parts.length;
}

function slopesOf({ weights }: ActorCriticNetwork, experiences: readonly Experience[]): number[] {
  const probe = create();
  const values = valuesOf(weights);
  const lossAt = (place: number, change: number): number => {
    const moved = values.with(place, values[place]! + change);
    const actors = weights.actor.length;
    probe.restore({ actor: moved.slice(0, actors), critic: moved.slice(actors) });
    return lossOf(probe, experiences);
  };
  return values.map((_, place) => (lossAt(place, 1e-5) - lossAt(place, -1e-5)) / 2e-5);
}

describe('the network of the actor-critic', () => {
  it('returns a distribution over the prospects', () => {
    const { probabilities } = lively().evaluate(outlookOf(5, 7));
    expect(probabilities).toHaveLength(5);
    expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  });

  it('makes Adam steps along the gradient, which equals finite differences', () => {
    const network = lively();
    const experiences = experiencesWith(network);
    const [first, second] = [1, 2].map(() => {
      const [slopes, values] = [slopesOf(network, experiences), valuesOf(network.weights)];
      network.learn(experiences, { rate: 1e-3, entropy: ENTROPY });
      return { slopes, moved: valuesOf(network.weights).map((value, i) => value - values[i]!) };
    }) as [{ slopes: number[]; moved: number[] }, { slopes: number[]; moved: number[] }];
    expect(first.slopes.filter((slope) => Math.abs(slope) > 1e-4).length).toBeGreaterThan(0.9 * first.slopes.length);
    for (const [i, one] of first.slopes.entries()) {
      const two = second.slopes[i]!;
      expect(first.moved[i]).toBeCloseTo((-1e-3 * one) / (Math.abs(one) + 1e-5 / Math.sqrt(0.001)), 5);
      const mean = (0.09 * one + 0.1 * two) / (1 - 0.9 ** 2);
      const square = (0.999 * 0.001 * one ** 2 + 0.001 * two ** 2) / (1 - 0.999 ** 2);
      const floor = 1e-5 / Math.sqrt(1 - 0.999 ** 2);
      expect(second.moved[i]).toBeCloseTo((-1e-3 * mean) / (Math.sqrt(square) + floor), 5);
    }
  });

  it('learns from differences of returns whatever their size, but not from noise, as once every request is late', () => {
    const advantagesOf = (size: number): number[] =>
      scaled(experiencesWith(lively()).map((each, i) => ({ ...each, advantage: i % 2 === 0 ? size : -size }))).map(
        ({ advantage }) => advantage,
      );
    expect(advantagesOf(5)).toEqual([1, -1, 1, -1, 1, -1].map((each) => expect.closeTo(each, 9)));
    expect(advantagesOf(0.05)).toEqual(advantagesOf(5).map((each) => expect.closeTo(each, 9)));
    expect(Math.max(...advantagesOf(1e-4))).toBeCloseTo(0.005, 9);
  });

  it('continues as if it had not stopped, with the moments of Adam', () => {
    const [whole, first] = [lively(), lively()];
    const experiences = experiencesWith(whole);
    const rule = { rate: 1e-3, entropy: ENTROPY };
    for (let step = 0; step < 3; step++) whole.learn(experiences, rule);
    for (let step = 0; step < 2; step++) first.learn(experiences, rule);
    const next = create(3);
    next.restore(JSON.parse(JSON.stringify(first.weights)));
    next.adam = JSON.parse(JSON.stringify(first.adam));
    next.learn(experiences, rule);
    expect(next.weights).toEqual(whole.weights);
  });

  it.each([
    ['nothing', null],
    ['undefined', undefined],
    ['a number', 1],
    ['an empty object', {}],
    ['too few weights', { ...create().weights, actor: create().weights.actor.slice(1) }],
    ['too many', { ...create().weights, critic: [...create().weights.critic, 0] }],
    ['no numbers', { ...create().weights, critic: create().weights.critic.with(3, Number.NaN) }],
    ['no list', { ...create().weights, actor: 'x'.repeat(create().weights.actor.length) }],
  ])('is not restored from %s', (_, weights) => {
    const network = create(3);
    const before = network.weights;
    expect(network.restore(weights)).toBe(false);
    expect(network.weights).toEqual(before);
  });
});
