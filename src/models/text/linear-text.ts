import { HyperSpace, type Knobs } from '../../domain/hyper-space.ts';
import { type Examples, outputOf, type Task } from '../../domain/task.ts';
import { InvalidParameter } from '../../errors/errors.ts';
import { textsOf } from '../../features/encoder.ts';
import { fitWeightedNgrams } from '../../features/weighted/weighted-ngrams.ts';
import { type ClassLoss, type NumberLoss, scoreWidth } from '../../linear/losses.ts';
import { fitAnswers } from '../answering.ts';
import type { FitData, LearnerFamily } from '../family.ts';
import { choiceKnob, countKnob, numberKnob } from '../knobs.ts';
import { LinearTextLearner } from './linear-text-learner.ts';
import { minTexts } from './rare-words.ts';

const classLosses = ['logistic', 'squared_hinge'] as const;
const numberLosses = ['squared_error', 'huber'] as const;

/** Characters of all training texts together that are read: their n-grams are half a gigabyte. Of more texts some are left out, evenly. */
const MAX_CHARACTERS = 24_000_000;
/** Characters per word, with the blank after it: long texts are read up to `max_tokens` words. */
const WORD_CHARACTERS = 6;
/** Scores of all training rows, and weights: 64 MB each as doubles, of which the solver has about ten. */
const MAX_NUMBERS = 2 ** 23;
/** Numbers that an answer reads: of many classes only the n-grams that weigh most count. */
const MAX_READ = 2 ** 19;

/**
 * A linear model of TF-IDF weights of n-grams of words and of characters, as Joachims (1998) and Wang and Manning (2012) found hard to beat with few
 * texts. It is convex, and solved by Newton's method within seconds.
 */
export const linearText: LearnerFamily = {
  name: 'linear_text',
  title: 'linear model of TF-IDF weights: n-grams of words and of characters',
  input: 'text',
  outputs: ['label', 'number'],

  space(task) {
    const losses = outputOf(task) === 'number' ? numberLosses : classLosses;
    return new HyperSpace()
      .addRangeKnob('word_ngrams', 'int', 1, 3, { group: 'preprocessing', initial: 2 })
      .addCategoricalKnob('char_ngrams', [1, 3, 4, 5], { group: 'preprocessing', initial: 5 })
      .addRangeKnob('char_norm', 'float', 0.25, 2, { group: 'preprocessing', initial: 1, log: true })
      .addCategoricalKnob('min_texts', [1, 2, 3], { group: 'preprocessing', initial: 2 })
      .addCategoricalKnob('max_columns', [20_000, 50_000, 200_000], { group: 'preprocessing', initial: 200_000 })
      .addCategoricalKnob('max_tokens', [128, 256, 512], { group: 'preprocessing', initial: 512 })
      .addCategoricalKnob('loss', losses, { group: 'architecture', initial: losses[0] })
      .addRangeKnob('c', 'float', 1e-4, 1000, { group: 'training', initial: 0.25, log: true, untuned: true })
      .addRangeKnob('epochs', 'int', 1, 20, { group: 'training', initial: 8, untuned: true });
  },

  learner({ task, knobs, data, fitTo = data.train, balanced = false }) {
    const { train, valid, classes } = data;
    const limits = { outputs: scoreWidth(classes.length), maxTokens: countKnob(knobs, 'max_tokens') };
    const fitted = { ...someOf(fitTo, limits), classes };
    return new LinearTextLearner({
      features: { encoder: 'weighted_ngrams', ...fitAnswers(fitted), state: stateOf(fitted, knobs, limits) },
      ...{ train: someOf(train, limits), valid, balanced, loss: lossOf(task, knobs) },
      c: positive(knobs, 'c'),
      epochs: countKnob(knobs, 'epochs'),
    });
  },
};

interface Limits {
  outputs: number;
  maxTokens: number;
}

/** As many rows as are read, evenly spread over all. */
function someOf({ inputs, labels }: Examples, { outputs, maxTokens }: Limits): Examples {
  const longest = maxTokens * WORD_CHARACTERS;
  const characters = textsOf(inputs).reduce((sum, text) => sum + Math.min(text.length, longest), 0);
  const share = Math.min(1, MAX_CHARACTERS / Math.max(1, characters), MAX_NUMBERS / (inputs.length * outputs));
  if (share === 1) return { inputs, labels };
  const isRead = (_: unknown, row: number): boolean => Math.floor((row + 1) * share) > Math.floor(row * share);
  if (!ArrayBuffer.isView(labels)) throw new RangeError('a linear model is trained on classes or numbers');
  return { inputs: inputs.filter(isRead), labels: labels.filter(isRead) };
}

const stateOf = ({ inputs }: FitData, knobs: Knobs, { outputs, maxTokens }: Limits): Record<string, unknown> =>
  fitWeightedNgrams(textsOf(inputs), {
    words: countKnob(knobs, 'word_ngrams'),
    characters: countKnob(knobs, 'char_ngrams'),
    characterNorm: positive(knobs, 'char_norm'),
    maxTokens,
    minTexts: minTexts(inputs.length, knobs),
    maxColumns: Math.min(countKnob(knobs, 'max_columns'), Math.floor(MAX_NUMBERS / outputs / 2)),
    maxEntries: Math.ceil(MAX_READ / outputs),
  });

function positive(knobs: Knobs, name: string): number {
  const value = numberKnob(knobs, name);
  if (value > 0) return value;
  throw new InvalidParameter(`knob "${name}" is not positive`, { detail: `It is ${value}.` });
}

const lossOf = (task: Task, knobs: Knobs): ClassLoss | NumberLoss =>
  outputOf(task) === 'number' ? choiceKnob(knobs, 'loss', numberLosses) : choiceKnob(knobs, 'loss', classLosses);
