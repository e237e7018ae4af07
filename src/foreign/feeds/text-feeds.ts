import type { RawInput } from '../../domain/task.ts';
import type { ForeignTensor } from '../../engine/foreign/session.ts';
import { type RowEncoder, textsOf } from '../../features/encoder.ts';
import { createTokenEncoder } from '../../features/pretrained/tokens.ts';
import type { TextsPlan, TokensPlan } from '../plan.ts';

/** Whole texts → one tensor of strings. */
export const textFeeds = (inputs: readonly RawInput[], { name, tail }: TextsPlan): Record<string, ForeignTensor> => ({
  [name]: { type: 'string', shape: [inputs.length, ...tail], data: [...textsOf(inputs)] },
});

export const tokenEncoder = ({ tokens }: TokensPlan): RowEncoder =>
  createTokenEncoder({ encoder: 'tokens', state: { ...tokens }, classes: [] });

/** Texts → numbers of tokens and their masks. */
export function tokenFeeds(
  inputs: readonly RawInput[],
  { type, width }: TokensPlan,
  encoder: RowEncoder,
): Record<string, ForeignTensor> {
  const feeds: Record<string, ForeignTensor> = {};
  for (const [name, { data, shape }] of Object.entries(encoder.encode(inputs))) {
    const [rows = 0, given = 0] = shape;
    const padded = padTo(data as BigInt64Array, { rows, from: given, to: width ?? given });
    feeds[name] = {
      ...(type === 'int64' ? { type, data: padded } : { type, data: Int32Array.from(padded, Number) }),
      shape: [rows, width ?? given],
    };
  }
  return feeds;
}

function padTo(data: BigInt64Array, { rows, from, to }: { rows: number; from: number; to: number }): BigInt64Array {
  if (from === to) return data;
  const padded = new BigInt64Array(rows * to);
  for (let row = 0; row < rows; row++) padded.set(data.subarray(row * from, row * from + Math.min(from, to)), row * to);
  return padded;
}
