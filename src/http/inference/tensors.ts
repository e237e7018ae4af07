import { InvalidParameter } from '../../errors/errors.ts';

type Scalar = string | number | boolean | null;

/** An input tensor whose data were checked and flattened, row by row. */
export interface InferTensor {
  name: string;
  datatype: string;
  shape: number[];
  data: Scalar[];
}

export interface InferOutput {
  name: string;
  /** Classes asked for, as strings with their probabilities; 0: the output itself. */
  classification: number;
}

export interface InferRequest {
  id: string | undefined;
  inputs: InferTensor[];
  /** Undefined: all. */
  outputs: InferOutput[] | undefined;
}

const MAX_ELEMENTS = 4_000_000;
const MAX_TENSORS = 2000;
const MAX_DIMENSIONS = 8;
const MAX_ID_CHARS = 1000;

const range = (bits: number, signed: boolean): [min: number, max: number] =>
  signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];

const integers: Readonly<Record<string, [min: number, max: number]>> = Object.fromEntries(
  [8, 16, 32, 64].flatMap((bits) => [
    [`INT${bits}`, range(bits, true)],
    [`UINT${bits}`, range(bits, false)],
  ]),
);
const floats = ['FP16', 'FP32', 'FP64'];

function check(datatype: string): ((value: unknown) => boolean) | undefined {
  const bounds = Object.hasOwn(integers, datatype) ? integers[datatype] : undefined;
  if (bounds !== undefined)
    return (it) => Number.isInteger(it) && (it as number) >= bounds[0] && (it as number) <= bounds[1];
  if (floats.includes(datatype)) return (it) => typeof it === 'number';
  if (datatype === 'BOOL') return (it) => typeof it === 'boolean';
  return datatype === 'BYTES' ? (it) => typeof it === 'string' : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads an inference request (Open Inference Protocol, version 2). Throws InvalidParameter. */
export function readInferRequest(body: unknown): InferRequest {
  if (!isObject(body)) throw refuse('the request is not a JSON object');
  const { id, inputs, outputs } = body;
  if (id !== undefined && (typeof id !== 'string' || id.length > MAX_ID_CHARS))
    throw refuse('the id of the request is not a string, or too long');
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length > MAX_TENSORS)
    throw refuse(`the request needs inputs: a list of 1 to ${MAX_TENSORS} tensors`);
  if (outputs !== undefined && (!Array.isArray(outputs) || outputs.length > MAX_TENSORS))
    throw refuse('outputs is not a list');
  const tensors = inputs.map(readTensor);
  const wanted = outputs?.map(readOutput);
  checkTwice('input', tensors);
  checkTwice('output', wanted ?? []);
  return { id, inputs: tensors, outputs: wanted === undefined || wanted.length === 0 ? undefined : wanted };
}

function checkTwice(what: string, named: readonly { name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of named) {
    if (names.has(name)) throw refuse(`${what} "${name.slice(0, 100)}" is there twice`);
    names.add(name);
  }
}

function readTensor(value: unknown): InferTensor {
  if (!isObject(value)) throw refuse('an input is not an object');
  const { name, shape, datatype, data, parameters } = value;
  if (typeof name !== 'string') throw refuse('an input has no name');
  const what = `input "${name.slice(0, 100)}"`;
  if (typeof datatype !== 'string') throw refuse(`${what} has no datatype`);
  const isOfType = check(datatype);
  if (isOfType === undefined) throw refuse(`${what} has the unknown datatype "${datatype.slice(0, 40)}"`);
  if (isObject(parameters) && 'binary_data_size' in parameters)
    throw refuse(`${what}: binary data are not supported; send BYTES in JSON`);
  const count = countOf(what, shape);
  if (!Array.isArray(data)) throw refuse(`${what} has no data`);
  const flat = flattened(what, data, count);
  if (flat.length !== count) throw refuse(`${what} has ${flat.length} elements, but its shape says ${count}`);
  const wrong = flat.find((each) => each !== null && !isOfType(each));
  if (wrong !== undefined) throw refuse(`${what} has an element that is no ${datatype}`);
  return { name, datatype, shape: shape as number[], data: flat };
}

function countOf(what: string, shape: unknown): number {
  if (!Array.isArray(shape) || shape.length === 0 || shape.length > MAX_DIMENSIONS)
    throw refuse(`${what} has no shape of 1 to ${MAX_DIMENSIONS} dimensions`);
  if (!shape.every((size) => Number.isInteger(size) && size >= 0))
    throw refuse(`${what} has a shape that is not of whole numbers from 0 on`);
  const count = (shape as number[]).reduce((product, size) => product * size, 1);
  if (count > MAX_ELEMENTS) throw refuse(`${what} has more than ${MAX_ELEMENTS} elements`);
  return count;
}

/** Data may be nested by their dimensions, or flat. The depth is bounded by that of the body. */
function flattened(what: string, data: readonly unknown[], count: number): Scalar[] {
  if (!data.some(Array.isArray)) {
    if (data.some((it) => typeof it === 'object' && it !== null))
      throw refuse(`${what} has an element that is an object`);
    return data as Scalar[];
  }
  const flat: Scalar[] = [];
  const add = (level: readonly unknown[]): void => {
    for (const each of level) {
      if (Array.isArray(each)) add(each);
      else if (typeof each === 'object' && each !== null) throw refuse(`${what} has an element that is an object`);
      else if (flat.push(each as Scalar) > count)
        throw refuse(`${what} has more elements than its shape says: ${count}`);
    }
  };
  add(data);
  return flat;
}

function readOutput(value: unknown): InferOutput {
  if (!isObject(value) || typeof value['name'] !== 'string') throw refuse('an output has no name');
  const { name, parameters } = value as { name: string; parameters?: unknown };
  const given = isObject(parameters) ? parameters['classification'] : undefined;
  if (given === undefined) return { name, classification: 0 };
  if (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= 10_000)
    return { name, classification: given as number };
  throw refuse('the parameter classification is not a whole number from 1 to 10000');
}

const refuse = (message: string): InvalidParameter => new InvalidParameter(message);
