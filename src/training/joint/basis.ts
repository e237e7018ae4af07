import { snapshotHash } from '../../datasets/split.ts';
import type { TrainingSpec } from '../../domain/training.ts';

/** Identifies the rows of a trial: workers that have read the source at different times may have different ones. */
export const basisOf = ({ data }: TrainingSpec): string => Buffer.from(snapshotHash(data)).toString('hex');
