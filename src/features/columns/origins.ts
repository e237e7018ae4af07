import type { FittedFeatures } from '../../domain/training.ts';
import { NotSupported } from '../../errors/errors.ts';
import { denseOrigins } from '../dense.ts';
import { readFittedColumns } from './fitted-columns.ts';
import { plainOrigins } from './plain.ts';

/** Encoders whose rows are one matrix, of which each number is made of one column. */
const origins: Readonly<Record<string, (features: FittedFeatures) => string[]>> = {
  dense: denseOrigins,
  plain: plainOrigins,
};

/** The columns that a model reads, in order, and of each number of an encoded row the place of its column. Throws {@link NotSupported}. */
export function originsOf(features: FittedFeatures): { columns: string[]; of: Int32Array } {
  const columns = readFittedColumns(features.state).map(({ name }) => name);
  const of = origins[features.encoder]?.(features);
  if (of === undefined) {
    throw new NotSupported(`what encoder "${features.encoder}" makes is not of single columns`, {
      hint: 'Explain another model.',
    });
  }
  return { columns, of: Int32Array.from(of, (name) => columns.indexOf(name)) };
}
