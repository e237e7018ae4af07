import { describe, expect, test } from 'vitest';
import type { Proposal, SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { advisorByName, advisors } from '../../../src/advisors/registry.ts';
import { regretBound } from '../../../src/advisors/terminator.ts';
import { HyperSpace, type KnobValue } from '../../../src/domain/hyper-space.ts';
import { InvalidParameter } from '../../../src/errors/errors.ts';

const NAMES = ['a', 'b', 'c'];
let draws = 0;

/** Three knobs with the lists that a study's row may have; counts how often the first is drawn. */
function searchOf(lists: KnobValue[][], change = (value: KnobValue): KnobValue => value): SearchSpace {
  const space = new HyperSpace();
  for (const [i, name] of NAMES.entries()) {
    const postHook = (_: unknown, value: KnobValue): KnobValue => {
      if (i === 0) draws++;
      return change(value);
    };
    space.addRangeKnob(name, 'float', 0, 1, { group: 'training', initial: 0.5, postHook });
  }
  draws = 0;
  const overrides = Object.fromEntries(NAMES.map((name, i) => [name, { list: lists[i] ?? [0, 1] }]));
  return { families: [{ name: 'f', space }], overrides, seed: 7 };
}

const equal = (count: number): number[] => Array<number>(count).fill(0.25);
const different = (count: number): number[] => Array.from({ length: count }, (_, i) => i / count);

const tried = (proposal: Proposal, number: number): TrialHistory => ({
  ...{ number, family: proposal.family, knobs: proposal.knobs, scores: [number % 7], epochs: 1, ended: true },
});

function proposals(name: string, search: SearchSpace, count: number): TrialHistory[] {
  const history: TrialHistory[] = [];
  const advisor = advisors.find((each) => each.name === name)!;
  while (history.length < count) {
    const proposal = advisor.propose(search, history);
    if (proposal === null) break;
    history.push(tried(proposal, history.length + 1));
  }
  return history;
}

describe('the grid', () => {
  test('counts equal values of a list once', () => {
    const search = searchOf([equal(300), equal(300), [0.1, 0.2, 0.1]]);
    expect(proposals('grid', search, 10)).toHaveLength(2);
    expect(draws).toBeLessThan(10);
  });

  test('looks at a bounded number of points where hooks make them all equal', () => {
    const search = searchOf([different(100), different(100), different(100)], () => 0.5);
    expect(proposals('grid', search, 10)).toHaveLength(1);
    expect(draws).toBeLessThan(2000);
  });

  test('has as many values for a narrow range as for a wide one, one in each of its equal parts', () => {
    const valuesOf = (width: number): number[] => {
      const space = new HyperSpace().addRangeKnob('a', 'float', 1, 1 + width, { group: 'training', initial: 1 });
      const trials = proposals('grid', { families: [{ name: 'f', space }], overrides: {}, seed: 7 }, 50);
      return trials.slice(1).map(({ knobs }) => (Number(knobs['a']) - 1) / width);
    };
    const wide = valuesOf(1000);
    expect(wide.length).toBeGreaterThan(1);
    for (const width of [0.01, 1, 2.5, 1000]) {
      const parts = valuesOf(width).map((value) => Math.floor(value * wide.length));
      expect(parts.toSorted((a, b) => a - b)).toEqual(wide.map((_, part) => part));
    }
  });

  test('has each combination of values once', () => {
    const history = proposals('grid', searchOf([different(10), different(11), different(10)]), 5000);
    const points = new Set(history.map(({ knobs }) => JSON.stringify(knobs)));
    expect([history.length, points.size]).toEqual([1100, 1100]);
  });

  test('leaves out none where a family may be tried at times only', () => {
    const space = new HyperSpace().addCategoricalKnob('a', different(5), { group: 'training', initial: 0 });
    const [f, g] = ['f', 'g'].map((name) => ({ name, space }));
    const history: TrialHistory[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const families = turn % 3 === 0 ? [f!, g!] : [f!];
      const proposal = advisorByName('grid').propose({ families, overrides: {}, seed: 3 }, history);
      if (proposal !== null) history.push({ number: history.length + 1, ...proposal, scores: [0.5], ended: true });
    }
    expect(new Set(history.map(({ family, knobs }) => `${family} ${knobs['a']}`)).size).toBe(10);
  });
});

test.each(advisors.map(({ name }) => name))('%s refuses a list of more than 100 different values', (name) => {
  const long = searchOf([different(101)]);
  expect(() => proposals(name, long, 30)).toThrowError(
    expect.objectContaining({ sqlstate: '22023', detail: 'It has 101 different values; the limit is 100.' }),
  );
  expect(() => regretBound(long, [], 0)).toThrowError(InvalidParameter);
  expect(proposals(name, searchOf([[...different(100), ...different(100)]]), 12)).toHaveLength(12);
});
