import type { TargetUnit } from '../domain/kinds/kind.ts';
import { numberTarget } from '../domain/kinds/regression.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type Classifier, classifier } from '../graph/classifier.ts';
import type { Network } from '../graph/network.ts';
import { regressor } from '../graph/regressor.ts';
import type { FitData } from './family.ts';

/** What a network answers with: one of some classes; or a number, in the unit of its target. */
export interface Answers {
  classes: number;
  target?: TargetUnit | undefined;
}

/** What a model answers with, from its training rows: their classes; or for numbers their mean and standard deviation. */
export function fitAnswers({ labels, classes }: FitData): Pick<FittedFeatures, 'classes' | 'target'> {
  if (!(labels instanceof Float64Array)) return { classes: [...classes] };
  const mean = labels.reduce((sum, label) => sum + label / labels.length, 0);
  const variance = labels.reduce((sum, label) => sum + (label - mean) ** 2 / labels.length, 0);
  return { classes: [], target: { mean, scale: variance > 0 ? Math.sqrt(variance) : 1 } };
}

export const answersOf = ({ classes, target }: FittedFeatures): Answers => ({ classes: classes.length, target });

/** Numbers of a row before its answer: the logits of the classes, or one number. */
export const answerWidth = ({ classes, target }: Answers): number => (target === undefined ? classes : 1);

/** A network with these answers; its `logits` have {@link answerWidth} numbers per row. */
export function answering({ classes, target }: Answers, { logits, ...rest }: Omit<Classifier, 'classes'>): Network {
  return target === undefined
    ? classifier({ classes, logits, ...rest })
    : regressor({ ...rest, target: numberTarget, unit: target, output: logits });
}
