import { expect, it } from 'vitest';
import { sourceOf } from '../../../src/cli/encoders/encoder-forms.ts';
import { packageEncoder } from '../../../src/cli/encoders/package-encoder.ts';

type Flags = Parameters<typeof sourceOf>[0];
const none: Flags = {
  ...{ npm: undefined, onnx: undefined, tfjs: undefined, tokenizer: undefined, preprocessor: undefined },
  ...{ layers: undefined, side: undefined, pooling: undefined, prefix: undefined },
};
const texts = { onnx: 'm.onnx', tokenizer: 't.json' };
const images = { onnx: 'm.onnx', preprocessor: 'p.json' };
const tfjs = { tfjs: 'model.json', preprocessor: 'p.json' };

it.each<Partial<Flags>>([
  { npm: 'nsfwjs', side: 96 },
  { ...texts, pooling: 'cls', prefix: 'query: ' },
  { ...images, pooling: 'mean', side: 96 },
  { ...tfjs, layers: 'a,b', side: 96 },
])('an encoder is named by %o', (flags) => {
  expect(sourceOf({ ...none, ...flags })).toBeTypeOf('function');
});

it.each<[string, Partial<Flags>]>([
  ['side', { ...texts, side: 96 }],
  ['prefix', { ...images, prefix: 'query: ' }],
  ['pooling', { npm: 'nsfwjs', pooling: 'mean' }],
  ['prefix', { npm: 'nsfwjs', prefix: 'x' }],
  ['layers', { ...images, layers: 'a' }],
  ['pooling', { ...tfjs, pooling: 'mean' }],
])('--%s is refused where it would have no effect: %o', (flag, flags) => {
  expect(() => sourceOf({ ...none, ...flags })).toThrow(
    expect.objectContaining({ sqlstate: '22023', message: expect.stringContaining(`no --${flag}`) }),
  );
});

it.each<Partial<Flags>>([
  {},
  { onnx: 'm.onnx' },
  { ...texts, npm: 'x' },
  { ...texts, preprocessor: 'p.json' },
  { side: 3 },
])('files that name no encoder, or two, are refused: %o', (flags) => {
  expect(() => sourceOf({ ...none, ...flags })).toThrow(
    expect.objectContaining({ sqlstate: '22023', hint: expect.stringContaining('--tfjs --preprocessor') }),
  );
});

it('a folder without a package is refused', async () => {
  await expect(packageEncoder('test/fixtures/none')).rejects.toMatchObject({ sqlstate: '42704' });
});
