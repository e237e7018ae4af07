import { describe, expect, test } from 'vitest';
import type { PublishedTensor } from '../../../src/db/statements/warm-starts.ts';
import type { RequestedTensor } from '../../../src/domain/warm-start.ts';
import { matchTensors, originOf } from '../../../src/params/matching.ts';

const tensor = (name: string, shape: number[], role = 'weight'): RequestedTensor => ({ name, shape, role });

/** A published set whose blobs are named after it. */
const set = (paramsId: number, ...tensors: RequestedTensor[]): PublishedTensor[] =>
  tensors.map((each) => ({ ...each, paramsId, hash: Buffer.from(`${paramsId}/${each.name}`) }));

const sources = (wanted: RequestedTensor[], offered: PublishedTensor[]): Record<string, string> =>
  Object.fromEntries(matchTensors(wanted, offered).map(({ name, hash }) => [name, hash.toString()]));

const small = [tensor('a.w', [3, 4]), tensor('a.b', [4], 'offset'), tensor('out.w', [4, 2])];

describe('a warm start', () => {
  test('copies what has the same name, shape and role', () => {
    expect(sources(small, set(1, ...small))).toEqual({ 'a.w': '1/a.w', 'a.b': '1/a.b', 'out.w': '1/out.w' });
  });

  test('takes namesakes from one set: the one whose tensors fit most, the first of equals', () => {
    const offered = [...set(1, tensor('a.w', [3, 4])), ...set(2, ...small), ...set(3, ...small)];
    expect(sources(small, offered)).toEqual({ 'a.w': '2/a.w', 'a.b': '2/a.b', 'out.w': '2/out.w' });
  });

  test('fills what is left with the first tensor of the same shape and role, whatever its name', () => {
    const offered = [...set(1, tensor('b.w', [4, 2])), ...set(2, tensor('a.w', [3, 4]), tensor('c.w', [4, 2]))];
    expect(sources(small, offered)).toEqual({ 'a.w': '2/a.w', 'out.w': '1/b.w' });
  });

  test('never takes another shape or role, even under the same name', () => {
    const offered = set(1, tensor('a.w', [4, 3]), tensor('a.b', [4], 'scale'), tensor('out.w', [4, 3]));
    expect(sources(small, offered)).toEqual({});
  });

  test('leaves a table alone whose rows mean something else', () => {
    const table = (fitted: string): RequestedTensor => tensor('table', [100, 8], `rows of ${fitted}`);
    expect(sources([table('x')], set(1, table('y')))).toEqual({});
    expect(sources([table('x')], set(1, table('x')))).toEqual({ table: '1/table' });
  });

  test('says who gave most of it, and the share from anybody', () => {
    const offered = [...set(1, tensor('a.w', [3, 4])), ...set(2, tensor('x', [4, 2]))];
    expect(originOf(small, matchTensors(small, offered))).toEqual({ paramsId: 1, share: 20 / 24 });
    expect(originOf(small, [])).toEqual({ paramsId: null, share: 0 });
  });
});
