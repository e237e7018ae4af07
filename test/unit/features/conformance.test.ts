import { beforeAll, describe, expect, test } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { packModel, unpackModel } from '../../../src/params/model-codec.ts';
import { type EncoderCase, encoderCases } from './encoder-cases.ts';

type Tensors = Record<string, TensorData>;

/** The numbers of one row of each tensor. */
const rowOf = (tensors: Tensors, row: number): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, shape }]) => {
      const size = data.length / (shape[0] as number);
      return [name, Array.from(data.subarray(row * size, (row + 1) * size), Number)];
    }),
  );

/** Padding is zeros after a row. */
function withoutPadding(row: Record<string, number[]>): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(row).map(([name, numbers]) => [name, numbers.slice(0, numbers.findLastIndex((n) => n !== 0) + 1)]),
  );
}

describe.each(Object.entries(encoderCases))('the encoder "%s"', (encoder, make) => {
  let given: EncoderCase;
  const features = () => ({ encoder, classes: ['a', 'b'], state: given.state });
  beforeAll(async () => {
    given = await make();
  });

  test('encodes all rows the same together and in batches', async () => {
    const prepared = await createEncoder(features()).prepare(given.inputs);
    expect(prepared.count).toBe(given.inputs.length);
    const batch = prepared.batch(Int32Array.from(given.inputs.keys()));
    expect(await createEncoder(features()).encode(given.inputs)).toEqual(batch);
    for (const { shape } of Object.values(batch)) expect(shape[0]).toBe(given.inputs.length);
  });

  test('encodes a row the same whatever shares the batch, but for padding, and whatever it encoded before', async () => {
    const used = createEncoder(features());
    const together = await used.encode(given.inputs);
    for (const [row, input] of given.inputs.entries()) {
      expect(withoutPadding(rowOf(await used.encode([input]), 0))).toEqual(withoutPadding(rowOf(together, row)));
    }
  });

  test('returns rows in the requested order', async () => {
    const prepared = await createEncoder(features()).prepare(given.inputs);
    const order = Int32Array.from(given.inputs.keys()).reverse();
    const [asked, whole] = [prepared.batch(order), prepared.batch(order.toReversed())];
    for (const [place, row] of order.entries()) expect(rowOf(asked, place)).toEqual(rowOf(whole, row));
  });

  test('is the same after its state was stored', async () => {
    const stored = unpackModel(packModel({ onnx: Uint8Array.of(1), features: features() }));
    const again = createEncoder(stored.features);
    expect(await again.encode(given.inputs)).toEqual(await createEncoder(features()).encode(given.inputs));
  });

  test('refuses the other kind of input, and state that it did not write', async () => {
    const other = typeof given.inputs[0] === 'string' ? Uint8Array.of(1) : 'a text';
    await expect(async () => createEncoder(features()).encode([other])).rejects.toMatchObject({ sqlstate: '22000' });
    expect(() => createEncoder({ ...features(), state: {} })).toThrow(expect.objectContaining({ sqlstate: 'XX001' }));
  });
});
