import { HyperSpace } from '../../domain/hyper-space.ts';
import { textsOf } from '../../features/encoder.ts';
import { fitNgrams, tableRows } from '../../features/ngrams.ts';
import { fitSubwords, subwordRows, subwordSlots, unknownWord } from '../../features/subwords.ts';
import * as emit from '../../graph/emit.ts';
import { elementTypes, type Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import { relu } from '../../graph/ops/activations.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { conv1dMax } from '../../graph/ops/convolution/conv1d.ts';
import { dropout } from '../../graph/ops/dropout.ts';
import { embedding } from '../../graph/ops/embedding.ts';
import { dense } from '../../graph/ops/matmul.ts';
import { sum } from '../../graph/ops/reductions.ts';
import { concat, padBefore, reshape } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { type Answers, answering, answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { NetworkFamily } from '../family.ts';
import { countKnob, numberKnob } from '../knobs.ts';
import { minTexts } from './rare-words.ts';
import { textRecipe } from './recipe.ts';
import { dropWords } from './word-dropout.ts';

/** Widths of the filters, in words (Kim 2014, section 3.1). */
const widths = [3, 4, 5] as const;

/** Mean number of characters up to which subwords are used: in longer texts they take half as long again and add little. */
const shortText = 256;

const areShort = (texts: readonly string[]): boolean =>
  texts.reduce((sum, { length }) => sum + length, 0) <= shortText * texts.length;

/**
 * Temporal CNN (Kim 2014, "Convolutional Neural Networks for Sentence Classification", CNN-rand): word vectors, filters of
 * three widths over time, the maximum of each, dropout, one linear layer.
 */
export const temporalCnn: NetworkFamily = {
  name: 'temporal_cnn',
  title: 'Temporal CNN: filters over word vectors, maximum over time',
  input: 'text',
  outputs: ['label', 'number'],

  space: (task) =>
    new HyperSpace()
      // The class of a question depends on suffixes and names, that of an opinion on whole words.
      .addCategoricalKnob('subwords', [true, false], { group: 'preprocessing', initial: task !== 'sentiment' })
      .addCategoricalKnob('max_tokens', [64, 128, 256], { group: 'preprocessing', initial: 128 })
      .addCategoricalKnob('min_texts', [1, 2, 3], { group: 'preprocessing', initial: 1 })
      .addRangeKnob('word_dropout', 'float', 0, 0.4, { group: 'preprocessing', initial: 0.2 })
      .addCategoricalKnob('dim', [32, 64, 128], { group: 'architecture', initial: 64 })
      .addCategoricalKnob('filters', [32, 64, 100], { group: 'architecture', initial: 64 })
      .addRangeKnob('epochs', 'int', 3, 10, { group: 'training', initial: 6 })
      .addCategoricalKnob('batch', [32, 64], { group: 'training', initial: 64 })
      .addRangeKnob('learning_rate', 'float', 1e-3, 2e-2, { group: 'training', initial: 5e-3, log: true })
      .addRangeKnob('weight_decay', 'float', 0, 0.1, { group: 'training', initial: 0 })
      .addRangeKnob('dropout', 'float', 0.2, 0.7, { group: 'training', initial: 0.5 })
      .addRangeKnob('label_smoothing', 'float', 0, 0.2, { group: 'training', initial: 0.1 }),

  fit: (data, knobs) => {
    const texts = textsOf(data.inputs);
    const options = {
      maxTokens: countKnob(knobs, 'max_tokens'),
      minTexts: minTexts(texts.length, knobs),
      maxRows: 100_000,
      // Each text then ends in a whole window of padding, so that its maxima do not depend on the other texts of the batch.
      margin: Math.max(...widths),
    };
    return knobs['subwords'] === true && areShort(texts)
      ? { encoder: 'subwords', ...fitAnswers(data), state: fitSubwords(texts, options) }
      : { encoder: 'ngrams', ...fitAnswers(data), state: fitNgrams(texts, { ...options, ngrams: 1, unknown: 1 }) };
  },

  network: (features, knobs): Network => {
    const dim = countKnob(knobs, 'dim');
    return temporalCnnNetwork({
      ...(features.encoder === 'subwords'
        ? { rows: subwordRows(features), slots: subwordSlots }
        : { rows: tableRows(features) }),
      dim,
      filters: countKnob(knobs, 'filters'),
      ...answersOf(features),
    });
  },

  recipe: textRecipe,

  augment: (batch, knobs, rng) => dropWords(batch['ids'], numberKnob(knobs, 'word_dropout'), { rng, by: unknownWord }),
};

export interface TemporalCnnSize extends Answers {
  rows: number;
  /** Maximum rows of a word; its vector is their sum divided by the square root of their number. 1: one row per word. */
  slots?: number;
  dim: number;
  filters: number;
}

/** The network alone, so that its speed can be measured for sizes independent of data. */
export function temporalCnnNetwork({ rows, slots = 1, dim, filters, ...answers }: TemporalCnnSize): Network {
  const width = answerWidth(answers);
  const features = filters * widths.length;
  const convolutions = widths.flatMap((width): [string, ParameterSpec][] => [
    [`conv${width}.w`, { shape: [width * dim, filters], init: { kind: 'uniform', bound: 1 / Math.sqrt(width * dim) } }],
    [`conv${width}.b`, { shape: [filters], init: { kind: 'zeros' } }],
  ]);
  return answering(answers, {
    inputs: { ids: { shape: slots === 1 ? ['T'] : ['T', slots], dtype: 'int32' } },
    parameters: {
      table: { shape: [rows, dim], init: { kind: 'normal', deviation: 0.1 }, rowsOf: 'ids' },
      ...Object.fromEntries(convolutions),
      'out.w': { shape: [features, width], init: { kind: 'normal', deviation: 1 / Math.sqrt(features) } },
      'out.b': { shape: [width], init: { kind: 'zeros' } },
    },
    logits: (t, inputs, parameters, ratio) => {
      const vectors = wordVectors(t, parameters.of('table'), inputs.of('ids'));
      // Windows that begin before the text distinguish its first words from the same words elsewhere, as those after its end do.
      const words = padBefore(t, vectors, { axis: 1, count: Math.max(...widths) - 1 });
      const maxima = widths.map((width) => maxOverTime(t, words, { parameters, width, filters }));
      return dense(t, dropout(t, concat(t, maxima, 1), ratio), parameters.of('out.w'), parameters.of('out.b'));
    },
  });
}

/** [N, T] or [N, T, S] → [N, T, D]. */
function wordVectors(t: Tape, table: Value, ids: Value): Value {
  const rows = embedding(t, table, ids);
  const [n = 1, time = 1, slots] = ids.shape;
  if (slots === undefined) return rows;
  const g = t.graph;
  const present = emit.cast(g, emit.cast(g, ids, 'bool', elementTypes.bool), 'float32', elementTypes.float32);
  const count = g.node('Max', [emit.reduce(g, 'ReduceSum', present, [2]), g.scalar(1)], [n, time, 1]);
  const whole = reshape(t, sum(t, rows, [2]), [n, time, emit.dimOf(table, 1)]);
  return mul(t, whole, emit.div(g, g.scalar(1), emit.unary(g, 'Sqrt', count)));
}

/** relu(max over time + b) equals the maximum of relu(· + b), and processes one number instead of T. */
function maxOverTime(t: Tape, words: Value, conv: { parameters: Values; width: number; filters: number }): Value {
  const { parameters, width } = conv;
  const maxima = conv1dMax(t, words, parameters.of(`conv${width}.w`), width);
  return relu(t, add(t, maxima, parameters.of(`conv${width}.b`)));
}
