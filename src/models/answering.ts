import { numberTarget } from '../domain/kinds/regression.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type Classifier, classifier } from '../graph/classifier.ts';
import type { Network } from '../graph/network.ts';
import { regressor } from '../graph/regressor.ts';
import type { FitData } from './family.ts';

/** What a model answers with, from its training rows: their classes; or for numbers their mean and standard deviation. */
export function fitAnswers({ labels, classes }: FitData): Pick<FittedFeatures, 'classes' | 'target'> {
  if (!(labels instanceof Float64Array)) return { classes: [...classes] };
  const mean = labels.reduce((sum, label) => sum + label / labels.length, 0);
  const variance = labels.reduce((sum, label) => sum + (label - mean) ** 2 / labels.length, 0);
  return { classes: [], target: { mean, scale: variance > 0 ? Math.sqrt(variance) : 1 } };
}

/** A network that answers with classes, or with numbers, as its features were fitted; `part` makes all but the answer, `width` numbers per row. */
export function answering(
  { classes, target }: FittedFeatures,
  part: (width: number) => Omit<Classifier, 'classes'>,
): Network {
  if (target === undefined) return classifier({ classes: classes.length, ...part(classes.length) });
  const { logits, ...rest } = part(1);
  return regressor({ ...rest, target: numberTarget, unit: target, output: logits });
}
