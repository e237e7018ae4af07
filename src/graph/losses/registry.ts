import { giouLoss, iouLoss } from './box-overlap.ts';
import { focal } from './focal.ts';
import { huber, smoothL1 } from './huber.ts';
import { meanSquaredError } from './mean-squared-error.ts';
import { qualityFocal } from './quality-focal.ts';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.ts';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';

/** Every loss: predictions and targets to a scalar. The gradient suite has a case for each and fails for one without. */
export const losses = {
  softmaxCrossEntropy,
  sigmoidCrossEntropy,
  focal,
  qualityFocal,
  huber,
  smoothL1,
  meanSquaredError,
  iouLoss,
  giouLoss,
} as const;
