import { giouLoss, iouLoss } from './box-overlap.ts';
import { focal } from './focal.ts';
import { huber, smoothL1 } from './huber.ts';
import { meanSquaredError } from './mean-squared-error.ts';
import { qualityFocal } from './quality-focal.ts';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.ts';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';

/** All losses, each of predictions and targets, a scalar. The gradient tests require a case for each. */
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
