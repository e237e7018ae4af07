// The part of WebAssembly's binary format that the kernels need (WebAssembly core specification 2.0, chapter 5).

/** Bytes of an instruction, or of several. */
export type Code = readonly number[];

const i32 = 0x7f;
const v128 = 0x7b;
export const wasmTypes = { i32, v128 } as const;

/** Instructions without immediates. */
export const op = {
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32Mul: [0x6c],
  i32Shl: [0x74],
  i32ShrUnsigned: [0x76],
  i32LessUnsigned: [0x49],
  f64x2Add: [0xfd, 0xf0, 0x01],
  f64x2FromLowI32x4: [0xfd, 0xfe, 0x01],
} satisfies Record<string, Code>;

export const constant = (value: number): Code => [0x41, ...signed(value)];
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const tee = (local: number): Code => [0x22, ...unsigned(local)];

/** Loads and stores at an address plus a constant offset. */
export const loadByte = (offset: number): Code => [0x2d, 0, ...unsigned(offset)];
export const loadWord = (offset: number): Code => [0x28, 2, ...unsigned(offset)];
export const storeWord = (offset: number): Code => [0x36, 2, ...unsigned(offset)];
export const loadPair = (offset: number): Code => [0xfd, 0, 4, ...unsigned(offset)];
export const storePair = (offset: number): Code => [0xfd, ...unsigned(11), 4, ...unsigned(offset)];
/** Eight bytes into the lower half. */
export const loadLowHalf = (offset: number): Code => [0xfd, ...unsigned(93), 3, ...unsigned(offset)];

/** Runs `body` as long as `condition` is not 0. */
export const whileLoop = (condition: Code, body: Code): Code => [
  ...[0x02, 0x40, 0x03, 0x40], // block, loop
  ...condition,
  ...[0x45, 0x0d, 1], // i32.eqz, br_if out of the block
  ...body,
  ...[0x0c, 0, 0x0b, 0x0b], // br to the loop's start; ends of both
];

export interface WasmFunction {
  name: string;
  /** Number of i32 parameters, which are the first locals. */
  parameters: number;
  /** Types of the other locals. */
  locals: readonly number[];
  body: Code;
}

/** A module of functions without results over a shared memory that it imports as `env.memory`. */
export function wasmModule(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const memory = [...text('env'), ...text('memory'), 0x02, 0x03, ...unsigned(pages), ...unsigned(pages)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      functions.map(({ parameters }) => [0x60, ...vector(Array(parameters).fill([i32])), 0]),
    ),
    ...section(2, [memory]),
    ...section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    ...section(
      7,
      functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)]),
    ),
    ...section(10, functions.map(functionBody)),
  ]);
}

function functionBody({ locals, body }: WasmFunction): Code {
  const bytes = [...vector(locals.map((type) => [1, type])), ...body, 0x0b];
  return [...unsigned(bytes.length), ...bytes];
}

function section(id: number, items: readonly Code[]): Code {
  const bytes = vector(items);
  return [id, ...unsigned(bytes.length), ...bytes];
}

const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];

const text = (value: string): Code => vector([...new TextEncoder().encode(value)].map((byte) => [byte]));

/** LEB128 of an integer below 2^32. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest >= 128) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

/** LEB128 of a 32-bit integer with a sign. */
function signed(value: number): Code {
  const bytes: number[] = [];
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    bytes.push((rest & 127) | 128);
    rest >>= 7;
  }
  return [...bytes, rest & 127];
}
