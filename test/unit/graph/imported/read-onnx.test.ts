import { expect, it } from 'vitest';
import { elementTypes } from '../../../../src/graph/graph.ts';
import { readOnnx } from '../../../../src/graph/imported/read-onnx.ts';
import {
  bytesField,
  concatBytes,
  floatField,
  stringField,
  varintField,
  varintsField,
} from '../../../../src/graph/protobuf.ts';

// Field numbers follow onnx.proto3.

const file = (...graph: Uint8Array[]): Uint8Array => bytesField(7, concatBytes(graph));
const tensor = (type: number, dims: number[], ...fields: Uint8Array[]): Uint8Array =>
  concatBytes([...dims.map((dim) => varintField(1, dim)), varintField(2, type), stringField(8, 'w'), ...fields]);
const weightOf = (bytes: Uint8Array) => readOnnx(file(bytesField(5, bytes))).constants.get('w');

const attribute = (name: string, kind: number, ...fields: Uint8Array[]): Uint8Array =>
  bytesField(5, concatBytes([stringField(1, name), ...fields, varintField(20, kind)]));
const node = (op: string, ...attributes: Uint8Array[]): Uint8Array =>
  bytesField(1, concatBytes([stringField(2, 'y'), stringField(4, op), ...attributes]));
const [INT, FLOATS, INTS] = [2, 6, 7];

const floatBytes = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer);
const largest = 2n ** 63n - 1n;

it('reads numbers that are packed, and those that come one by one', () => {
  const { float32, int64 } = elementTypes;
  const packed = bytesField(4, floatBytes(Float32Array.of(1.5, -2)));
  expect(weightOf(tensor(float32, [2], packed))?.data).toEqual(Float32Array.of(1.5, -2));
  expect(weightOf(tensor(float32, [2], floatField(4, 1.5), floatField(4, -2)))?.data).toEqual(Float32Array.of(1.5, -2));
  const single = tensor(int64, [2], varintField(7, -3), varintField(7, 4));
  expect(weightOf(single)?.data).toEqual(BigInt64Array.of(-3n, 4n));
  const floats = node('Odd', attribute('list', FLOATS, floatField(7, 0.5), floatField(7, 0.25)));
  expect(readOnnx(file(floats)).nodes[0]?.attributes['list']).toEqual({ floats: Float32Array.of(0.5, 0.25) });
});

it('keeps all 64 bits of weights and constants', () => {
  const ends = tensor(elementTypes.int64, [2], varintField(7, largest), varintField(7, -largest));
  expect(weightOf(ends)?.data).toEqual(BigInt64Array.of(largest, -largest));
  const one = readOnnx(file(node('Constant', attribute('value_int', INT, varintField(3, largest)))));
  expect(one.constants.get('y')).toMatchObject({ shape: [], data: BigInt64Array.of(largest) });
  const list = attribute('value_ints', INTS, varintField(8, largest), varintField(8, 2));
  expect(readOnnx(file(node('Constant', list))).constants.get('y')).toMatchObject({
    shape: [2],
    data: BigInt64Array.of(largest, 2n),
  });
});

it('refuses numbers that it would change', () => {
  const beyond = file(node('Odd', attribute('axis', INT, varintField(3, largest))));
  expect(() => readOnnx(beyond)).toThrow(expect.objectContaining({ sqlstate: '0A000' }));
  expect(() => weightOf(tensor(elementTypes.uint8, [1], varintField(5, 300)))).toThrow(/beyond uint8/);
  const torn = tensor(elementTypes.float32, [2], bytesField(4, new Uint8Array(7)));
  expect(() => weightOf(torn)).toThrow(/cut off/);
});

it('reads long lists', () => {
  const count = 300_000;
  const values = Float32Array.from({ length: count }, (_, i) => i);
  const floats = weightOf(tensor(elementTypes.float32, [count], bytesField(4, floatBytes(values))));
  expect(floats?.data).toEqual(values);
  const whole = varintsField(
    7,
    Array.from(values, (value) => value % 100),
  );
  expect(weightOf(tensor(elementTypes.int64, [count], whole))?.data.byteLength).toBe(8 * count);
});
