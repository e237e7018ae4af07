import { expect, test } from 'vitest';
import { CorruptParams } from '../../../src/errors/errors.ts';
import { packModel, unpackModel } from '../../../src/params/model-codec.ts';

const model = {
  onnx: Uint8Array.of(8, 7, 42),
  features: { encoder: 'ngrams', state: { words: Uint8Array.of(1) }, classes: ['a', 'b'] },
};

test('a model survives being packed', () => {
  expect(unpackModel(packModel(model))).toEqual(model);
});

test.each([
  ['without its file', { tensors: {}, meta: { features: model.features } }],
  ['without features', { ...packModel(model), meta: {} }],
  ['with features of another form', { ...packModel(model), meta: { features: { encoder: 'ngrams' } } }],
])('parameters %s are not a model', (_, params) => {
  expect(() => unpackModel(params)).toThrow(CorruptParams);
});
