import {
  type Code,
  constant,
  get,
  loadByte,
  loadLowHalf,
  loadPair,
  loadWord,
  op,
  set,
  storePair,
  storeWord,
  tee,
  type WasmFunction,
  wasmTypes,
  whileLoop,
} from './assembler.ts';

/** Bytes of an entry of a histogram: G and H as doubles. */
export const entryBytes = 16;

/** Where the kernels' arrays begin in their memory, in bytes. */
export interface KernelPlaces {
  /** Integer G and H of each row, 32 bits each. */
  derivatives: number;
  /** Row-major, a byte each. */
  bins: number;
  /** For each bin of a feature, 1 if it goes left. */
  goesLeft: number;
}

const { i32, v128 } = wasmTypes;
const next = (address: number): Code => [...get(address), ...constant(4), ...op.i32Add, ...set(address)];

/**
 * Adds rows to a histogram: `histogram(first, end, to)` with the addresses of the first row's number, of the end of the numbers,
 * and of the histogram. The features are unrolled, so that where their bins begin are constants of the instructions. A row's
 * G and H are added at once, as the two doubles of a vector: integers below 2^53 add up without rounding, in any order.
 */
export function histogramKernel(places: KernelPlaces, offsets: Int32Array): WasmFunction {
  const [first, end, to, row, bins, entry, derivatives] = [0, 1, 2, 3, 4, 5, 6] as const;
  const width = offsets.length - 1;
  const addFeature = (f: number): number[] => {
    const start = (offsets[f] as number) * entryBytes;
    return [
      ...[...get(bins), ...loadByte(places.bins + f), ...constant(Math.log2(entryBytes)), ...op.i32Shl],
      ...[...get(to), ...op.i32Add, ...tee(entry)],
      ...[...get(entry), ...loadPair(start), ...get(derivatives), ...op.f64x2Add, ...storePair(start)],
    ];
  };
  const body = [
    ...[...get(first), ...loadWord(0), ...set(row)],
    ...[...get(row), ...constant(3), ...op.i32Shl, ...loadLowHalf(places.derivatives)],
    ...[...op.f64x2FromLowI32x4, ...set(derivatives)],
    ...[...get(row), ...constant(width), ...op.i32Mul, ...set(bins)],
    ...Array.from({ length: width }, (_, f) => addFeature(f)).flat(),
    ...next(first),
  ];
  return {
    name: 'histogram',
    parameters: 3,
    locals: [i32, i32, i32, v128],
    body: whileLoop([...get(first), ...get(end), ...op.i32LessUnsigned], body),
  };
}

/**
 * Divides rows: `partition(first, end, others, feature, result)` moves the numbers of those that go left to the front, and writes the
 * others to `others`; how many go left is written to `result`. Both places are written, and one is overwritten by the next row:
 * a branch that is half the time predicted wrongly would take longer.
 */
export function partitionKernel(places: KernelPlaces, width: number): WasmFunction {
  const [first, end, others, feature, result, at, row, isLeft, left] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const body = [
    ...[...get(left), ...get(at), ...loadWord(0), ...tee(row), ...storeWord(0)],
    ...[...get(others), ...get(row), ...storeWord(0)],
    ...[...get(row), ...constant(width), ...op.i32Mul, ...get(feature), ...op.i32Add, ...loadByte(places.bins)],
    ...[...loadByte(places.goesLeft), ...constant(2), ...op.i32Shl, ...set(isLeft)],
    ...[...get(left), ...get(isLeft), ...op.i32Add, ...set(left)],
    ...[...get(others), ...constant(4), ...op.i32Add, ...get(isLeft), ...op.i32Sub, ...set(others)],
    ...next(at),
  ];
  return {
    name: 'partition',
    parameters: 5,
    locals: [i32, i32, i32, i32],
    body: [
      ...[...get(first), ...tee(at), ...set(left)],
      ...whileLoop([...get(at), ...get(end), ...op.i32LessUnsigned], body),
      ...[
        ...get(result),
        ...get(left),
        ...get(first),
        ...op.i32Sub,
        ...constant(2),
        ...op.i32ShrUnsigned,
        ...storeWord(0),
      ],
    ],
  };
}
