import { expect, test } from 'vitest';
import { checkedFound } from '../../../src/foreign/checked-found.ts';
import { checked, onnxFile } from '../../support/onnx-files.ts';

/** What a process that checks a file reports is not believed: a graph may have taken it over, and an export be forged. */
const columns = ['length', 'width', 'height', 'weight'].map((name) => ({ name, type: 'number' }));
const found = await checked(onnxFile('sklearn_logistic'), 'tabular_classification', { columns });
const [member] = found.members;
const members = (count: number): unknown[] => Array.from({ length: count }, () => ({ ...member }));

const withModel = (change: Record<string, unknown>): Record<string, unknown> => ({
  members: [{ ...member, model: { ...member?.model, ...change } }],
});
const withState = (state: Record<string, unknown>): Record<string, unknown> =>
  withModel({
    features: { ...member?.model.features, state: { ...(member?.model.features.state as object), ...state } },
  });
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = { a: value };
  return value;
}

test('what a file has become is taken as it is, and nothing else with it', () => {
  const whole = { ...found, more: 1, members: [{ ...member, score: 0.9, paramsId: 7 }] };
  expect(checkedFound(whole, 'tabular_classification')).toEqual(found);
});

test('the number of an encoder in somebody else’s database is left out', () => {
  const model = { ...member?.model, features: { ...member?.model.features, pretrained: { name: 'x', paramsId: 3 } } };
  const [read] = checkedFound({ ...found, members: [{ ...member, model }] }, 'tabular_classification').members;
  expect(read?.model.features).not.toHaveProperty('pretrained');
});

test('a version may have as many members as a study makes', () => {
  const six = { ...found, rule: 'vote', members: members(6), accuracies: new Array<number>(64).fill(0.5) };
  expect(checkedFound(six, 'tabular_classification').members).toHaveLength(6);
  for (const count of [7, 40, 100_000])
    expect(() => checkedFound({ ...found, members: members(count) }, 'tabular_classification')).toThrowError(
      expect.objectContaining({ sqlstate: '22000', detail: `It has ${count}; the maximum is 6.` }),
    );
});

test.each<[string, Record<string, unknown>]>([
  ['nothing', { members: undefined }],
  ['no member', { members: [] }],
  ['no member that is one', { members: [null] }],
  ['another rule', { rule: 'strongest' }],
  ['classes of the wrong kind', { classes: [1, 2, 3] }],
  ['the same class twice', { classes: ['a', 'a'] }],
  ['no classes', { classes: [] }],
  ['a class that is too long', { classes: ['a', 'b'.repeat(1001)] }],
  ['too many classes', { classes: Array.from({ length: 10_001 }, (_, c) => String(c)) }],
  ['a class that no row can store', { classes: ['a', 'b\0'] }],
  ['a class with half a character', { classes: ['a', 'b\ud800'] }],
  ['a column that no row can store', { columns: [{ name: 'a\0', kind: 'number' }] }],
  ['a family that no row can store', { members: [{ ...member, family: 'a\0' }] }],
  ['features with numbers that are not sent', withState({ junk: 1n })],
  ['features with arrays that are not sent', withState({ junk: new Int16Array(1) })],
  ['too few accuracies', { accuracies: [0] }],
  ['accuracies that are none', { accuracies: [0, Number.NaN] }],
  ['accuracies above 1', { accuracies: [0, 2] }],
  ['no columns', { columns: null }],
  ['columns of a kind that there is not', { columns: [{ name: 'a', kind: 'sound' }] }],
  ['too many columns', { columns: Array.from({ length: 1601 }, (_, c) => ({ name: `c${c}`, kind: 'number' })) }],
  ['another precision', { members: [{ ...member, precision: 'int4' }] }],
  ['a weight below 0', { members: [{ ...member, weight: -1 }] }],
  ['a temperature of 0', { members: [{ ...member, temperature: 0 }] }],
  ['a variant of itself', { members: [{ ...member, precision: 'int8', variantOf: 0 }] }],
  ['a variant of nothing', { members: [{ ...member }, { ...member, precision: 'int8', variantOf: 5 }] }],
  ['a variant in full precision', { members: [{ ...member }, { ...member, variantOf: 0 }] }],
  ['an encoder by name alone', { members: [{ ...member, encoder: { name: 'x' } }] }],
  ['no graph', { members: [{ ...member, model: { ...member?.model, onnx: 'x' } }] }],
  ['no features', { members: [{ ...member, model: { ...member?.model, features: null } }] }],
  ['features that are nested too deeply', withState({ junk: nested(2_500) })],
  ['more features than any model has', withState({ junk: Array.from({ length: 1_100_000 }, () => []) })],
  ['more numbers than any model has', withState({ junk: new Array<number>(4_100_000).fill(0) })],
  ['features in a form that hides what is in them', withState({ junk: new Map([[1, nested(2_500)]]) })],
  [
    'a tensor whose shape is none',
    withModel({
      explaining: {
        kind: 'forest',
        tensors: { x: { dtype: 'float32', shape: [nested(9)], data: new Float32Array(1) } },
      },
    }),
  ],
  [
    'explanations of another kind',
    { members: [{ ...member, model: { ...member?.model, explaining: { kind: 'x' } } }] },
  ],
])('refuses %s', (_, change) => {
  expect(() => checkedFound({ ...found, ...change }, 'tabular_classification')).toThrowError(
    expect.objectContaining({ sqlstate: '22000' }),
  );
});
