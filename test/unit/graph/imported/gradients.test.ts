import { describe, expect, it } from 'vitest';
import type { Shape } from '../../../../src/graph/graph.ts';
import { gradientRules } from '../../../../src/graph/imported/gradients/registry.ts';
import { gradientError } from '../finite-differences.ts';
import { caseOf, foreignCases, int64 } from './foreign-cases.ts';

describe('gradients of operators of foreign graphs equal central finite differences', () => {
  it('has a case for each rule', () => {
    expect(Object.keys(foreignCases).sort()).toEqual(Object.keys(gradientRules).sort());
  });

  it.each(Object.entries(foreignCases))('%s', async (name, given) => {
    const { tolerance, ...gradientCase } = caseOf(name, given);
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  /** Each size has a name that says what it is, so that equal ones are known to be equal. */
  const named = (shape: Shape): Shape => shape.map((size) => (size === 1 ? 1 : `size ${size}`));
  const needFixed = new Set([':Split', ':MatMul']);
  it.each(Object.entries(foreignCases).filter(([name]) => !needFixed.has(name)))(
    '%s with sizes that are known only when it runs',
    async (name, given) => {
      const { tolerance, ...gradientCase } = caseOf(name, given, named);
      expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
    },
  );

  it.each([':Gather', ':GatherND'])('%s on several threads, which add to the same place', async (name) => {
    const { tolerance, ...gradientCase } = caseOf(name, foreignCases[name]!);
    expect(await gradientError({ ...gradientCase, threads: 2 })).toBeLessThan(tolerance);
  });

  it.each([1, 2])('Gather and GatherND at places that count from the end, on %i threads', async (threads) => {
    for (const [name, index] of [
      [':GatherND', int64([1, -1, 0, 0, -2, 3, -3, -4], [4, 2])],
      [':Gather', int64([-1, 0, -3])],
    ] as const) {
      const outputs = name === ':GatherND' ? [[4, 2]] : [[3, 4, 2]];
      const { tolerance, ...gradientCase } = caseOf(name, { inputs: { x: [3, 4, 2] }, constants: { index }, outputs });
      expect(await gradientError({ ...gradientCase, threads })).toBeLessThan(tolerance);
    }
  });

  it.each([
    ['operands whose sizes have other names than the result', { a: [2, 3, 4], b: [3, 1] }, [2, 3, 4]],
    ['an operand of lower rank', { a: [2, 3, 4], b: [4] }, [2, 3, 4]],
  ] as const)('sums over %s', async (_, inputs, y) => {
    let count = 0;
    const unlike = (shape: Shape): Shape => shape.map(() => `unknown ${count++}`);
    const { tolerance, ...gradientCase } = caseOf(':Mul', { inputs, outputs: [y] }, unlike);
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it.each([
    ['a stack times a stack', { a: [2, 3, 4], b: [2, 4, 5] }, [2, 3, 5]],
    ['a matrix times a stack', { a: [3, 4], b: [2, 4, 5] }, [2, 3, 5]],
    ['stacks that are broadcast', { a: [1, 2, 3, 4], b: [3, 1, 4, 2] }, [3, 2, 3, 2]],
  ] as const)('MatMul of %s', async (_, inputs, y) => {
    const { tolerance, ...gradientCase } = caseOf(':MatMul', { inputs, outputs: [y] });
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it.each([
    ['the transposed first', { transA: 1, transB: 0 }, { a: [2, 4, 3], b: [2, 4, 5] }],
    ['the transposed second', { transA: 0, transB: 1 }, { a: [2, 3, 4], b: [5, 4] }],
  ])('FusedMatMul of %s', async (_, attributes, inputs) => {
    const { tolerance, ...gradientCase } = caseOf('com.microsoft:FusedMatMul', {
      inputs,
      attributes,
      outputs: [[2, 3, 5]],
    });
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it('Pow with an exponent of whole numbers', async () => {
    const { tolerance, ...gradientCase } = caseOf(':Pow', {
      inputs: { x: [2, 3] },
      constants: { p: int64([1, 2, 3]) },
      outputs: [[2, 3]],
    });
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it('Slice backwards, in steps', async () => {
    const constants = { starts: int64([4]), ends: int64([0]), axes: int64([1]), steps: int64([-2]) };
    const { tolerance, ...gradientCase } = caseOf(':Slice', { inputs: { x: [3, 5] }, constants, outputs: [[3, 2]] });
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });

  it('ScatterND that adds', async () => {
    const { tolerance, ...gradientCase } = caseOf(':ScatterND', {
      ...foreignCases[':ScatterND']!,
      attributes: { reduction: 'add' },
    });
    expect(await gradientError(gradientCase)).toBeLessThan(tolerance);
  });
});
