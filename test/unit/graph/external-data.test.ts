import { expect, test } from 'vitest';
import { fieldsOf, hasExternalData } from '../../../src/graph/onnx-fields.ts';
import { outlineOnnx } from '../../../src/graph/onnx-outline.ts';
import { bytesField, concatBytes, stringField, varintField } from '../../../src/graph/protobuf.ts';
import { elsewhere, here, hidden, readerOf } from '../../support/forged-onnx.ts';
import { onnxFile } from '../../support/onnx-files.ts';

/** Where the weights of a model are: a graph that names other files would read those of the server. */
const away = elsewhere('x', 4);
const model = (graph: Uint8Array): Uint8Array => bytesField(7, graph);
const attribute = (field: number, value: Uint8Array): Uint8Array =>
  model(bytesField(1, bytesField(5, bytesField(field, value))));

test('a model whose weights are in it has none elsewhere', () => {
  const files = ['sklearn_logistic', 'sklearn_forest', 'torch_image', 'torch_text', 'endless'].map(onnxFile);
  for (const bytes of [readerOf(here(Uint8Array.of(1, 2))), ...files]) {
    expect(hasExternalData(bytes)).toBe(false);
    expect(outlineOnnx(bytes).hasExternalData).toBe(false);
  }
});

test.each<[string, Uint8Array]>([
  ['a weight', readerOf(away)],
  ['a file of onnx.save', onnxFile('external_data')],
  ['a sparse weight', model(bytesField(15, bytesField(2, away)))],
  ['a constant', attribute(5, away)],
  ['one of several constants', attribute(10, away)],
  ['a sparse constant', attribute(22, bytesField(1, away))],
  ['one of several sparse constants', attribute(23, bytesField(1, away))],
  ['a graph in a graph', attribute(6, bytesField(5, away))],
  ['one of several graphs in a graph', attribute(11, bytesField(5, away))],
  ['a function', bytesField(25, bytesField(7, bytesField(5, bytesField(5, away))))],
  ['the value that an attribute of a function has by default', bytesField(25, bytesField(11, bytesField(5, away)))],
  ['a place alone', model(bytesField(5, bytesField(13, stringField(1, 'location'))))],
  ['a mark of which a reader keeps 32 bits', model(bytesField(5, varintField(14, 2n ** 32n + 1n)))],
])('it finds them in %s', (_, bytes) => {
  expect(hasExternalData(bytes)).toBe(true);
});

test('a key of more than 32 bits is no field: a reader that keeps 32 of them would see another one', () => {
  const bytes = readerOf(elsewhere('x', 4, hidden));
  expect(() => hasExternalData(bytes)).toThrow(RangeError);
  expect(() => outlineOnnx(bytes)).toThrow(RangeError);
  expect(() => [...fieldsOf(hidden(13, new Uint8Array(1)))]).toThrow(RangeError);
  const last = concatBytes([Uint8Array.of(0xfa, 0xff, 0xff, 0xff, 0x0f), Uint8Array.of(0)]); // 2^29 - 1
  expect([...fieldsOf(last)]).toMatchObject([{ field: 2 ** 29 - 1 }]);
  expect(hasExternalData(last)).toBe(false);
});

test('what is cut off, or too deep, is no model', () => {
  const whole = readerOf(here(Uint8Array.of(1, 2)));
  expect(() => hasExternalData(whole.subarray(0, -1))).toThrow(RangeError);
  let graph = new Uint8Array(0);
  for (let depth = 0; depth < 40; depth++) graph = new Uint8Array(bytesField(1, bytesField(5, bytesField(6, graph))));
  expect(() => hasExternalData(model(graph))).toThrow('its graphs are nested too deeply');
});
