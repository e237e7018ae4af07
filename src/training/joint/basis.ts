import { snapshotHash } from '../../datasets/split.ts';
import type { TrainingSpec } from '../../domain/training.ts';

/**
 * Identifies the rows of a trial: workers that have read the source at different times may have different ones. If each holds a shard,
 * these are the rows of the leading worker's.
 */
export const basisOf = ({ data }: Pick<TrainingSpec, 'data'>): string =>
  Buffer.from(snapshotHash(data)).toString('hex');
