import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { async } from '../../../bench/serving/async.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { alreadyLate, largestFilled, lateAt, usefulSubsets } from '../../../src/serving/policies/batches.ts';
import { greedy } from '../../../src/serving/policies/greedy.ts';
import {
  actor,
  actorCritic,
  experiencesOf,
  type PolicyStep,
} from '../../../src/serving/policies/learned/actor-critic.ts';
import { ActorCriticNetwork, scaled } from '../../../src/serving/policies/learned/network.ts';
import { outlookOf } from '../../../src/serving/policies/learned/outlook.ts';
import { planner } from '../../../src/serving/policies/planner.ts';
import type { Decision, Policy, PolicyState } from '../../../src/serving/policies/policy.ts';
import { priceRule } from '../../../src/serving/policies/price-rule.ts';
import { PriceList, pricesAt } from '../../../src/serving/policies/prices.ts';
import { policies, policyByName } from '../../../src/serving/policies/registry.ts';
import { oneMember, stateOf, threeMembers } from './policy-state.ts';

const anyState = fc.record({
  queued: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2000 })),
  leftMs: fc.double({ min: -20, max: 100, noNaN: true }),
  /** So many at the head of the queue are late already. */
  late: fc.integer({ min: 0, max: 100 }),
  rate: fc.double({ min: 0, max: 50, noNaN: true }),
});

type AnyState = typeof anyState extends fc.Arbitrary<infer S> ? S : never;

describe.each(policies)('the policy $name', ({ create }) => {
  const fleets = { 'one member': oneMember, 'three members': threeMembers };

  it.each(Object.entries(fleets))(
    'dispatches what waits to members that exist, or waits for something, with %s',
    (_, fleet) => {
      const policy = create({ fleet, seed: 1 });
      const isSound = (state: PolicyState): boolean => {
        const decision = policy.decide(state);
        if (decision.kind === 'wait') return decision.untilMs > state.nowMs && decision.rows > state.queue.length;
        const { subset, from, rows } = decision;
        const isSubset = Number.isInteger(subset) && subset >= 1 && subset < 2 ** fleet.members;
        return isSubset && from >= 0 && rows >= 1 && from + rows <= state.queue.length && rows <= fleet.sizes.at(-1)!;
      };
      const withLate = ({ late, ...changes }: AnyState): PolicyState => {
        const state = stateOf(fleet, changes);
        const deadlineMs = (place: number): number => (place < late ? 0 : state.queue.deadlineMs(place));
        return { ...state, queue: { length: changes.queued, deadlineMs } };
      };
      fc.assert(fc.property(anyState, (changes) => isSound(withLate(changes))));
    },
  );

  it('gives the same decision for the same state and seed', () => {
    const decide = (): unknown =>
      create({ fleet: threeMembers, seed: 3 }).decide(stateOf(threeMembers, { queued: 70, rate: 3 }));
    expect(decide()).toEqual(decide());
  });

  it('leaves no request waiting forever: a full queue on free devices is dispatched within the budget', () => {
    const policy = create({ fleet: oneMember, seed: 1 });
    expect(policy.decide(stateOf(oneMember, { queued: 300 })).kind).toBe('dispatch');
  });
});

describe('greedy, the rule of the paper', () => {
  const decide = (queued: number, waitedMs: number) =>
    greedy({ fleet: oneMember, seed: 1 }).decide(stateOf(oneMember, { queued, leftMs: 50 - waitedMs }));

  // dispatch the largest filled b when c(b) + w + δ ≥ τ, with δ = 5 ms
  it.each([
    { queued: 1, waitedMs: 42.96, rows: 1 },
    { queued: 5, waitedMs: 42.81, rows: 4 },
    { queued: 100, waitedMs: 39.81, rows: 64 },
    { queued: 256, waitedMs: 0, rows: 256 },
  ])('dispatches $rows of $queued, the oldest after $waitedMs ms', ({ queued, waitedMs, rows }) => {
    expect(decide(queued, waitedMs)).toEqual({ kind: 'dispatch', subset: 1, from: 0, rows });
  });

  it.each([
    { queued: 1, waitedMs: 0, ms: 50 - 2.05 - 5, rows: 4 },
    { queued: 255, waitedMs: 0, ms: 50 - 5.2 - 5, rows: 256 },
  ])('waits $ms ms with $queued queued, or for $rows', ({ queued, waitedMs, ms, rows }) => {
    expect(decide(queued, waitedMs)).toEqual({ kind: 'wait', untilMs: expect.closeTo(1000 + ms, 6), rows });
  });
});

describe('policies that always ask all members', () => {
  const options = { fleet: oneMember, drops: true, seed: 1 };
  /** The first are due at `dueMs`, the others have time. */
  const withLate = (late: number, queued: number): PolicyState => {
    const deadlineMs = (place: number): number => (place < late ? 1001 : 1050);
    return stateOf(oneMember, { queued, queue: { length: queued, deadlineMs } });
  };

  it.each(['eager', 'fixed', 'aimd', 'greedy'])('%s leaves out whom a batch would answer late, if it may', (name) => {
    const { create } = policyByName(name);
    const state = withLate(3, 300);
    expect(create(options).decide(state)).toMatchObject({ kind: 'dispatch', subset: 1, from: 3 });
    expect(create({ ...options, leavesOut: () => 0 }).decide(state)).toMatchObject({ from: 0 });
    // where all are late, the oldest are answered
    expect(create(options).decide(withLate(300, 300))).toMatchObject({ from: 0 });
    expect(create(options).decide(stateOf(oneMember, { queued: 1, freeMs: [[1001]] })).kind).toBe('wait');
  });

  it('Clipper’s batches grow by a row with each full one in time, and shrink by a tenth with each late one', () => {
    const policy = policyByName('aimd').create(options);
    const observe = (rows: number, overdue: number): void =>
      policy.observe?.({ nowMs: 1000, subset: 1, rows, overdue });
    const size = (): number => {
      const decision = policy.decide(stateOf(oneMember, { queued: 1000 }));
      return decision.kind === 'dispatch' ? decision.rows : 0;
    };
    expect(size()).toBe(1);
    observe(1, 0);
    expect(size()).toBe(2);
    observe(1, 0); // was not full
    expect(size()).toBe(2);
    for (let rows = 2; rows < 20; rows++) observe(rows, 0);
    expect(size()).toBe(20);
    observe(20, 1);
    expect(size()).toBe(18);
    for (let i = 0; i < 100; i++) observe(1, 1);
    expect(size()).toBe(1);
    for (let rows = 1; rows < 400; rows++) observe(rows, 0);
    expect(size()).toBe(256);
  });

  it('the fixed one waits a quarter of the budget for a largest batch', () => {
    const policy = policyByName('fixed').create(options);
    expect(policy.decide(stateOf(oneMember, { queued: 255 }))).toEqual({ kind: 'wait', untilMs: 1012.5, rows: 256 });
    expect(policy.decide(stateOf(oneMember, { queued: 255, leftMs: 37.5 }))).toMatchObject({
      kind: 'dispatch',
      rows: 255,
    });
    expect(policy.decide(stateOf(oneMember, { queued: 256 }))).toMatchObject({ kind: 'dispatch', rows: 256 });
  });

  it('the asynchronous one uses the best free member, and waits if none is free', () => {
    const policy = async({ ...options, fleet: threeMembers });
    const decide = (...freeMs: number[]) =>
      policy.decide(stateOf(threeMembers, { queued: 5, freeMs: freeMs.map((ms) => [ms]) }));
    expect([decide(0, 0, 0), decide(1001, 1000, 0), decide(1001, 1001, 0)]).toMatchObject([
      ...[{ subset: 1 }, { subset: 2 }, { subset: 4 }],
    ]);
    expect(decide(1001, 1001, 1001)).toEqual({ kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 6 });
  });
});

describe('prices', () => {
  const capacity = 64 / threeMembers.latencyMs(0, 64);

  it('are 0 for every device while all members can answer everything, and a request is worth the ensemble', () => {
    const { stations, request } = pricesAt(threeMembers, 0.5 * capacity, 50);
    expect(stations).toEqual([0, 0, 0]);
    expect(request).toBeCloseTo(0.83, 9);
  });

  it('equal those of lost requests if more arrive than all members can answer separately', () => {
    const { stations, request } = pricesAt(threeMembers, 10 * capacity, 50);
    expect(request).toBeCloseTo(0, 9);
    // a device second is worth what its member answers in it
    stations.forEach((price, m) => {
      const accuracy = threeMembers.accuracy[1 << m]!;
      expect(price).toBeCloseTo((accuracy * 64) / threeMembers.latencyMs(m, 64), 6);
    });
  });
});

describe('the batches that throughput is counted with', () => {
  /** The price of a device, whose only member answers `rows` in a batch. */
  const ofBatches = (rows: number): number => (0.9 * rows) / oneMember.latencyMs(0, rows);
  const priceWithin = (budgetMs: number): number => pricesAt(oneMember, 1000, budgetMs).stations[0]!;

  it.each([
    [2 * oneMember.latencyMs(0, 256), 256],
    [2 * oneMember.latencyMs(0, 256) - 0.01, 64],
    [1, 1],
  ])('take half of a budget of %s ms at most', (budgetMs, rows) => {
    expect(priceWithin(budgetMs)).toBeCloseTo(ofBatches(rows), 6);
  });

  it('are as large as any of the members can have', () => {
    const fleet = { ...threeMembers, latencyMs: (m: number, rows: number) => (m === 0 ? 1 : 1000) * rows };
    const { stations } = pricesAt(fleet, 1000, 128);
    expect(stations[0]).toBeCloseTo(0.8, 6);
    expect(pricesAt({ ...fleet, sizes: [4] }, 1000, 128).stations[0]).toBeCloseTo(0.8, 6);
  });
});

describe('a list of prices', () => {
  it('has four for each doubling of the rate, and computes them again as times drift', () => {
    let ms = 1;
    const fleet = { ...oneMember, latencyMs: (_: number, rows: number) => ms * rows };
    const list = new PriceList(fleet);
    const first = list.at(1000, 1e6);
    expect(list.at(1000 * 2 ** (1 / 16), 1e6)).toBe(first);
    expect(list.at(1000 * 2 ** (1 / 4), 1e6)).not.toBe(first);
    ms = 2;
    for (let asked = 3; asked < 1023; asked++) expect(list.at(1000, 1e6)).toBe(first);
    expect(list.at(1000, 1e6).stations[0]).toBeCloseTo(first.stations[0]! / 2, 9);
  });
});

describe.each([
  ['the price rule', priceRule],
  ['the planner', planner],
])('%s', (_, create) => {
  const decide = (changes: Parameters<typeof stateOf>[1]) =>
    (create({ fleet: threeMembers, seed: 1 }) satisfies Policy).decide(stateOf(threeMembers, changes));

  it('uses the whole ensemble while there is time', () => {
    expect(decide({ queued: 10, rate: 0.1 })).toEqual({ kind: 'dispatch', subset: 7, from: 0, rows: 10 });
  });

  it('waits for the whole ensemble while there is time', () => {
    expect(decide({ queued: 10, rate: 0.1, freeMs: [[1003], [0], [0]] })).toMatchObject({
      kind: 'wait',
      untilMs: 1003,
    });
  });

  it('uses single members if the ensemble cannot answer all', () => {
    const decision = decide({ queued: 400, rate: 30 });
    expect(decision).toMatchObject({ kind: 'dispatch', rows: 64 });
    expect(decision.kind === 'dispatch' && [1, 2, 4].includes(decision.subset)).toBe(true);
  });

  it('leaves out whom a batch would answer late', () => {
    const deadlineMs = (place: number): number => 1000 + (place < 5 ? 1 : 50);
    const decision = decide({ queued: 20, queue: { length: 20, deadlineMs } });
    expect(decision).toMatchObject({ kind: 'dispatch', from: 5 });
  });
});

describe('the planner, with one model', () => {
  /** What it decides, and how often it looked at a deadline: a plan looks at many. */
  const decide = (changes: Parameters<typeof stateOf>[1]) => {
    let looks = 0;
    const deadlineMs = (): number => {
      looks++;
      return 1000 + (changes.leftMs ?? 50);
    };
    const state = stateOf(oneMember, { ...changes, queue: { length: changes.queued, deadlineMs } });
    return { decision: planner({ fleet: oneMember, seed: 1 }).decide(state), looks };
  };

  it.each([1, 2, 64, 256])('plans nothing if one batch answers all %s in time', (queued) => {
    // to the last moment: a deadline is met by who answers at it
    const leftMs = 1000 + oneMember.latencyMs(0, queued) - 1000;
    expect(decide({ queued, leftMs, rate: 0 })).toEqual({
      decision: { kind: 'dispatch', subset: 1, from: 0, rows: queued },
      looks: 1,
    });
  });

  it.each([
    ['more wait than a batch has', { queued: 257 }],
    ['a batch would be late', { queued: 1, leftMs: 2.04 }],
    ['more come than it can answer, and more than one waits', { queued: 2, rate: 100 }],
  ])('plans where %s', (_, changes) => {
    expect(decide(changes).looks).toBeGreaterThan(1);
  });

  it('waits while it is busy', () => {
    const { decision } = decide({ queued: 1, freeMs: [[1001]] });
    expect(decision).toEqual({ kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 2 });
  });
});

describe('the actor-critic', () => {
  const create = () => actorCritic({ fleet: threeMembers, seed: 7 });
  const crowd = stateOf(threeMembers, { queued: 100, rate: 5 });

  it('takes the action with the highest reward after it has learned', () => {
    const network = new ActorCriticNetwork(createRng(7));
    const steps: PolicyStep[] = [];
    const policy = actor({ fleet: threeMembers, seed: 7, network, onStep: (step) => steps.push(step) });
    // a large batch is in time if the fast member answers it; the others can only answer small ones
    let nowMs = 1000;
    const next = (): Decision => {
      nowMs += 50;
      const deadline = nowMs + 1.05 * threeMembers.latencyMs(2, 64);
      return policy.decide({ ...crowd, nowMs, queue: { length: 100, deadlineMs: () => deadline } });
    };
    const share = (): number => {
      const decisions = Array.from({ length: 256 }, next);
      const taken = steps.splice(0);
      const end = { value: taken.at(-1)!.opinion.value, nowMs, budgetMs: 50 };
      network.learn(scaled(experiencesOf(taken, end)), { rate: 1e-2, entropy: 0 });
      return decisions.filter((each) => each.kind === 'dispatch' && each.rows === 64).length / 256;
    };
    const [first] = [share(), ...Array.from({ length: 30 }, share)];
    expect(first).toBeLessThan(0.5);
    expect(share()).toBeGreaterThan(0.9);
  });

  it('learns from the reward of a decision and, with decreasing weight, from later ones', () => {
    const stepAt = (nowMs: number, value: number, reward: number): PolicyStep => ({
      outlook: { ...outlookOf({ fleet: oneMember, seed: 1 }, stateOf(oneMember, { queued: 1 })), ...rewarded(reward) },
      opinion: { probabilities: new Float64Array(), value },
      ...{ action: 0, nowMs },
    });
    const rewarded = (reward: number) => ({ prospects: [{ subset: 1, from: 0, rows: 1, reward }] });
    const steps = [stepAt(1000, 1, 5), stepAt(1050, 2, 7)];
    const experiences = experiencesOf(steps, { value: 3, nowMs: 1150, budgetMs: 50 });
    // the discount is e^(−1/8) for 50 ms
    const last = 7 + Math.exp(-2 / 8) * 3;
    const first = 5 + Math.exp(-1 / 8) * (0.05 * 2 + 0.95 * last);
    expect(experiences.map(({ target }) => target)).toEqual([expect.closeTo(last, 12), expect.closeTo(first, 12)]);
  });

  it('learns on line from what it does', () => {
    const policy = create();
    const before = policy.learned?.weights();
    for (let i = 0; i < 64; i++) policy.decide(crowd);
    expect(policy.learned?.weights()).toEqual(before);
    policy.decide(crowd);
    expect(policy.learned?.weights()).not.toEqual(before);
  });

  it('continues from stored weights, whatever the fleet, and keeps its own if they do not fit', () => {
    const trained = create();
    for (let i = 0; i < 100; i++) trained.decide(crowd);
    const kept: unknown = JSON.parse(JSON.stringify(trained.learned?.weights()));
    const next = actorCritic({ fleet: oneMember, seed: 8 });
    expect(next.learned?.restore(kept)).toBe(true);
    expect(next.learned?.weights()).toEqual(kept);
    expect(next.learned?.restore({ inputs: 1 })).toBe(false);
    expect(next.learned?.weights()).toEqual(kept);
  });
});

describe('batches', () => {
  it('uses the largest size that the queue fills', () => {
    const sizes = [1, 4, 16, 64, 256];
    expect([1, 3, 4, 15, 16, 300].map((queued) => largestFilled(sizes, queued))).toEqual([1, 1, 4, 4, 16, 256]);
  });

  it('a request answered at its deadline is not late', () => {
    const queue = { length: 6, deadlineMs: (place: number): number => Math.floor(place / 2) };
    expect([0, 0.5, 1, 2, 2.5].map((ms) => lateAt(queue, ms))).toEqual([0, 2, 2, 4, 6]);
  });

  it('keeps subsets of which no part is as accurate', () => {
    expect(usefulSubsets(threeMembers)).toEqual([1, 2, 4, 7]);
  });

  it('have a variant instead of its original if it is as accurate, and never both', () => {
    const both = { ...oneMember, members: 2, originals: [0, 0] };
    expect(usefulSubsets({ ...both, accuracy: [0, 0.9, 0.88, 0.95] })).toEqual([1, 2]);
    expect(usefulSubsets({ ...both, accuracy: [0, 0.9, 0.9, 0.95] })).toEqual([2]);
    const pairs = { ...oneMember, members: 4, originals: [0, 1, 0, 1] };
    const accuracy = Array.from({ length: 16 }, (_, subset) => (subset === 0b0110 || subset === 0b1001 ? 0.9 : 0.8));
    expect(usefulSubsets({ ...pairs, accuracy })).toEqual([0b0100, 0b0110, 0b1000, 0b1001]);
  });

  it('counts as alreadyLate those that the quickest free member with the smallest batch answers late', () => {
    // member 2 takes 2.2 ms for the smallest batch
    const deadlineMs = (place: number): number => 1000 + place;
    const state = stateOf(threeMembers, { queued: 10, queue: { length: 10, deadlineMs } });
    expect(alreadyLate(threeMembers, state)).toBe(3);
    expect(alreadyLate(threeMembers, { ...state, freeMs: [[0], [0], [1006]] })).toBe(5);
  });

  it('does not count on a member that is never used because its variant is as accurate', () => {
    const latencyMs = (member: number): number => (member === 0 ? 40 : 60);
    const fleet = { ...oneMember, members: 2, originals: [0, 0], accuracy: [0, 0.9, 0.9, 0.9], latencyMs };
    const stations = [{ members: 3, servers: 1 }];
    expect(alreadyLate({ ...fleet, stations }, stateOf(oneMember, { queued: 1, leftMs: 50 }))).toBe(1);
  });
});

describe('the registry', () => {
  it('finds a policy by name and lists the names when there is none', () => {
    expect(policyByName('greedy').name).toBe('greedy');
    expect(() => policyByName('x')).toThrowError(
      expect.objectContaining({ sqlstate: '22023', hint: expect.stringContaining('planner, price, greedy') }),
    );
  });
});
