import { describe, expect, test } from 'vitest';
import { drawWithOverrides, HyperSpace, type Knobs, narrow } from '../../../src/domain/hyper-space.ts';
import { InvalidParameter } from '../../../src/errors/errors.ts';

const options = { group: 'training', initial: 1 } as const;
const names = (space: HyperSpace): string[] => space.knobs().map(({ name }) => name);

describe('a space', () => {
  test('draws what others depend on first, otherwise in the order of adding', () => {
    const space = new HyperSpace()
      .addRangeKnob('c', 'int', 1, 3, { ...options, depends: ['b'] })
      .addRangeKnob('a', 'int', 1, 3, options)
      .addRangeKnob('b', 'int', 1, 3, { ...options, depends: ['a'] });
    expect(names(space)).toEqual(['a', 'b', 'c']);
  });

  test('shows hooks the knobs drawn so far: one may change the domain, the other the value', () => {
    const seen: Knobs[] = [];
    const space = new HyperSpace()
      .addRangeKnob('decay', 'float', 0, 1, {
        ...options,
        depends: ['rate'],
        preHook: (drawn, domain) => {
          seen.push({ ...drawn });
          return domain.kind === 'range' ? { ...domain, max: Number(drawn['rate']) } : domain;
        },
        postHook: (drawn, value) => Number(value) * Number(drawn['rate']),
      })
      .addRangeKnob('rate', 'float', 0, 1, options);
    const drawn = space.draw((_, domain) => (domain.kind === 'range' ? domain.max / 2 : 0));
    expect(seen).toEqual([{ rate: 0.5 }]);
    expect(drawn).toEqual({ rate: 0.5, decay: 0.125 });
  });

  test('refuses a circle when it is built, and shows it', () => {
    const space = new HyperSpace()
      .addRangeKnob('free', 'int', 1, 3, options)
      .addRangeKnob('a', 'int', 1, 3, { ...options, depends: ['b'] })
      .addCategoricalKnob('b', ['x'], { ...options, initial: 'x', depends: ['c'] })
      .addRangeKnob('c', 'int', 1, 3, { ...options, depends: ['a'] });
    expect(() => space.knobs()).toThrow(expect.objectContaining({ sqlstate: '22023', detail: 'a → b → c → a' }));
    const own = new HyperSpace().addRangeKnob('a', 'int', 1, 3, { ...options, depends: ['a'] });
    expect(() => own.initial()).toThrow(expect.objectContaining({ detail: 'a → a' }));
  });

  test('refuses a dependency on a knob that does not exist, with the list of those that do', () => {
    const space = new HyperSpace()
      .addRangeKnob('rate', 'float', 0, 1, options)
      .addRangeKnob('decay', 'float', 0, 1, { ...options, depends: ['rat'] });
    expect(() => space.knobs()).toThrow(expect.objectContaining({ hint: expect.stringContaining('rate, decay') }));
  });

  test.each([
    ['an empty range', (space: HyperSpace) => space.addRangeKnob('a', 'int', 3, 1, options)],
    ['a log scale from zero', (space: HyperSpace) => space.addRangeKnob('a', 'float', 0, 1, { ...options, log: true })],
    ['a step of nothing', (space: HyperSpace) => space.addRangeKnob('a', 'int', 1, 9, { ...options, step: 0 })],
    ['a list of nothing', (space: HyperSpace) => space.addCategoricalKnob('a', [], options)],
    [
      'a name twice',
      (space: HyperSpace) => space.addRangeKnob('a', 'int', 1, 2, options).addCategoricalKnob('a', [1], options),
    ],
  ])('refuses %s', (_, build) => {
    expect(() => build(new HyperSpace())).toThrow(InvalidParameter);
  });
});

describe('an override', () => {
  const space = new HyperSpace()
    .addRangeKnob('rate', 'float', 1e-4, 1, { ...options, log: true })
    .addCategoricalKnob('pool', ['max', 'mean'], { ...options, initial: 'max' });

  test('fixes a knob, narrows its range, or leaves a part of its list', () => {
    const domains: unknown[] = [];
    const drawn = drawWithOverrides(space, { rate: { max: 0.1 }, pool: 'mean' }, (_, domain) => {
      domains.push(domain);
      return 0.05;
    });
    expect(drawn).toEqual({ rate: 0.05, pool: 'mean' });
    expect(domains).toEqual([{ kind: 'range', dtype: 'float', min: 1e-4, max: 0.1, log: true }]);
    const [, pool] = space.knobs();
    expect(pool && narrow('pool', pool.domain, { list: ['max'] })).toEqual({ kind: 'categorical', list: ['max'] });
  });

  test('that fixes a value wins over hooks', () => {
    const hooked = new HyperSpace().addRangeKnob('decay', 'float', 0, 1, { ...options, postHook: () => 0 });
    expect(drawWithOverrides(hooked, { decay: 0.5 }, () => 0.1)).toEqual({ decay: 0.5 });
    expect(drawWithOverrides(hooked, {}, () => 0.1)).toEqual({ decay: 0 });
  });

  test('of a list cannot be a range', () => {
    const [, pool] = space.knobs();
    expect(() => pool && narrow('pool', pool.domain, { min: 1 })).toThrow(InvalidParameter);
  });
});
