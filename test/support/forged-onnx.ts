import { elementTypes } from '../../src/graph/graph.ts';
import { bytesField, concatBytes, stringField, varintField } from '../../src/graph/protobuf.ts';
import { packMeta, packTensor } from '../../src/params/tensor-codec.ts';

/** How a field is written: for readers who keep 32 bits of a key another one may be the same. */
type FieldWriter = (field: number, value: Uint8Array | number) => Uint8Array;

const honest: FieldWriter = (field, value) =>
  typeof value === 'number' ? varintField(field, value) : bytesField(field, value);

/** The same with 2^32 added to the key: its first four bytes go on, and a fifth one has the bit. */
export const hidden: FieldWriter = (field, value) => {
  const [key = 0, ...rest] = honest(field, value);
  return Uint8Array.of(key | 128, 128, 128, 128, 16, ...rest);
};

const entry = (key: string, value: string): Uint8Array => concatBytes([stringField(1, key), stringField(2, value)]);

const named = (name: string, dims: readonly number[]): Uint8Array[] => [
  ...dims.map((dim) => varintField(1, dim)),
  varintField(2, elementTypes.uint8),
  stringField(8, name),
];

/** A tensor of bytes that are in another file. */
export const elsewhere = (location: string, length: number, write = honest): Uint8Array =>
  concatBytes([
    ...named('W', [length]),
    ...Object.entries({ location, offset: '0', length: String(length) }).map(([key, value]) =>
      write(13, entry(key, value)),
    ),
    write(14, 1),
  ]);

export const here = (bytes: Uint8Array): Uint8Array =>
  concatBytes([...named('W', [bytes.length]), bytesField(9, bytes)]);

const node = (op: string, inputs: string[], output: string, attribute: Uint8Array): Uint8Array =>
  concatBytes([
    ...inputs.map((input) => stringField(1, input)),
    ...[stringField(2, output), stringField(4, op), bytesField(5, attribute)],
  ]);

const integer = (name: string, value: number): Uint8Array =>
  concatBytes([stringField(1, name), varintField(3, value), varintField(20, 2)]);

function value(name: string): Uint8Array {
  const dims = [stringField(2, 'N'), varintField(1, 1)].map((dim) => bytesField(1, dim));
  const type = concatBytes([varintField(1, elementTypes.float32), bytesField(2, concatBytes(dims))]);
  return concatBytes([stringField(1, name), bytesField(2, bytesField(1, type))]);
}

/** A model that answers number i with byte i of a tensor of bytes. */
export function readerOf(weights: Uint8Array): Uint8Array {
  const graph = concatBytes([
    bytesField(1, node('Cast', ['i'], 'index', integer('to', elementTypes.int64))),
    bytesField(1, node('Cast', ['W'], 'numbers', integer('to', elementTypes.float32))),
    bytesField(1, node('Gather', ['numbers', 'index'], 'y', integer('axis', 0))),
    stringField(2, 'g'),
    bytesField(5, weights),
    ...[bytesField(11, value('i')), bytesField(12, value('y'))],
  ]);
  return concatBytes([
    varintField(1, 8),
    bytesField(7, graph),
    bytesField(8, concatBytes([stringField(1, ''), varintField(2, 13)])),
  ]);
}

export interface Forgery {
  /** In place of the metadata with the features. */
  meta?: Buffer;
}

export const featuresOf = (state: Record<string, unknown> = {}): Record<string, unknown> => ({
  encoder: 'foreign',
  state: {
    input: {
      ...{ kind: 'columns', missing: 0 },
      inputs: [{ name: 'i', type: 'float32', tail: [1], columns: [{ name: 'i', length: 1 }] }],
    },
    output: { name: 'y', kind: 'numbers' },
    batch: null,
    columns: [{ name: 'i', kind: 'number', state: {} }],
    ...state,
  },
  classes: [],
  target: { mean: 0, scale: 1 },
});

/** A file like one of rafiki_export for a regression of column i, with a harmless graph around the one that it is said to be. */
export function forgedExport(onnx: Uint8Array, { meta }: Forgery = {}): Buffer {
  const { hash, data } = packTensor({ dtype: 'uint8', shape: [onnx.length], data: onnx });
  const tensors = [{ name: 'model.onnx', dtype: 'uint8', shape: [onnx.length], hash: hash.toString('hex') }];
  const member = {
    ...{ family: 'imported', precision: 'float32', weight: 1, temperature: 1 },
    ...{ variant_of: null, params: 0, encoder: null },
  };
  const parts = {
    'rafiki.model': JSON.stringify({
      ...{ format: 1, task: 'tabular_regression', rule: 'best', classes: [], accuracies: null },
      ...{ columns: [{ name: 'i', kind: 'number' }], members: [member] },
    }),
    'rafiki.params.0': JSON.stringify({
      meta: (meta ?? packMeta({ features: featuresOf({}) })).toString('base64'),
      tensors,
    }),
    [`rafiki.blob.${hash.toString('hex')}`]: data.toString('base64'),
  };
  return Buffer.concat([
    readerOf(here(new Uint8Array(64).fill(65))),
    ...Object.entries(parts).map(([key, text]) => bytesField(14, entry(key, text))),
  ]);
}
