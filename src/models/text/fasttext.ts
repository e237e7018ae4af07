import { HyperSpace } from '../../domain/hyper-space.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { textsOf } from '../../features/encoder.ts';
import { fitNgrams, tableRows } from '../../features/ngrams.ts';
import type { Weight } from '../../graph/inference-graph.ts';
import type { Network } from '../../graph/network.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import { dropout } from '../../graph/ops/dropout.ts';
import { embeddingBag } from '../../graph/ops/embedding-bag.ts';
import { dense } from '../../graph/ops/matmul.ts';
import { type Answers, answering, answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { Compact, NetworkFamily, Weights } from '../family.ts';
import { countKnob, numberKnob } from '../knobs.ts';
import { minTexts } from './rare-words.ts';
import { textRecipe } from './recipe.ts';
import { dropWords } from './word-dropout.ts';

/**
 * fastText (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"): the mean of word and n-gram vectors
 * through one linear layer, p = softmax(W · 1/|d| Σ E[w]).
 */
export const fasttext: NetworkFamily = {
  name: 'fasttext',
  title: 'fastText: mean of word and n-gram vectors, then a linear layer',
  input: 'text',
  outputs: ['label', 'number'],

  space: (task) =>
    new HyperSpace()
      .addRangeKnob('word_ngrams', 'int', 1, 3, { group: 'preprocessing', initial: 2 })
      .addCategoricalKnob('min_texts', [1, 2, 3], { group: 'preprocessing', initial: 2 })
      .addCategoricalKnob('max_tokens', [128, 256, 512], { group: 'preprocessing', initial: 256 })
      .addRangeKnob('word_dropout', 'float', 0, 0.6, { group: 'preprocessing', initial: 0.2 })
      .addCategoricalKnob('dim', [16, 32, 64], { group: 'architecture', initial: 32 })
      .addRangeKnob('epochs', 'int', 4, 20, { group: 'training', initial: 10 })
      .addCategoricalKnob('batch', [16, 32, 64], { group: 'training', initial: 32 })
      .addRangeKnob('learning_rate', 'float', 1e-3, 5e-2, { group: 'training', initial: 5e-3, log: true })
      // The class of a question depends on few words, which strong decay suppresses; that of an opinion on many.
      .addRangeKnob('weight_decay', 'float', 0, 2, { group: 'training', initial: task === 'sentiment' ? 1 : 0.2 })
      .addRangeKnob('dropout', 'float', 0, 0.6, { group: 'training', initial: 0.2 })
      .addRangeKnob('label_smoothing', 'float', 0, 0.2, { group: 'training', initial: 0.1 }),

  fit: (data, knobs) => ({
    encoder: 'ngrams',
    ...fitAnswers(data),
    state: fitNgrams(textsOf(data.inputs), {
      ngrams: countKnob(knobs, 'word_ngrams'),
      maxTokens: countKnob(knobs, 'max_tokens'),
      minTexts: minTexts(data.inputs.length, knobs),
      maxRows: 500_000,
      unknown: 0,
      margin: 0,
    }),
  }),

  network: (features, knobs) =>
    fasttextNetwork({ rows: tableRows(features), dim: countKnob(knobs, 'dim'), ...answersOf(features) }),

  recipe: textRecipe,

  augment: (batch, knobs, rng) => dropWords(batch['ids'], numberKnob(knobs, 'word_dropout'), { rng, by: 0 }),

  compact: foldLayers,
};

export interface FasttextSize extends Answers {
  rows: number;
  dim: number;
}

/** The network alone, so that its speed can be measured for sizes independent of data. */
export function fasttextNetwork({ rows, dim, ...answers }: FasttextSize): Network {
  const width = answerWidth(answers);
  return answering(answers, {
    inputs: { ids: { shape: ['T'], dtype: 'int32' } },
    parameters: {
      table: { shape: [rows, dim], init: { kind: 'uniform', bound: 1 / dim }, rowsOf: 'ids' },
      'out.w': { shape: [dim, width], init: { kind: 'normal', deviation: 1 / Math.sqrt(dim) } },
      'out.b': { shape: [width], init: { kind: 'zeros' } },
    },
    logits: (t, inputs, parameters, ratio) => {
      const text = embeddingBag(t, parameters.of('table'), inputs.of('ids'));
      return dense(t, dropout(t, text, ratio), parameters.of('out.w'), parameters.of('out.b'));
    },
  });
}

/**
 * Everything between table and logits is linear, and the mean of products is the product of means: E·W replaces E,
 * [V, classes] instead of [V, dim]. The model is smaller by dim / classes, and an answer takes one look-up per word.
 */
function foldLayers(network: Network, features: FittedFeatures): Compact {
  return {
    network: answering(answersOf(features), {
      inputs: network.inputs,
      parameters: network.parameters,
      logits: (t, inputs, parameters) =>
        add(t, embeddingBag(t, parameters.of('table'), inputs.of('ids')), parameters.of('out.b')),
    }),
    weights: foldWeights,
  };
}

function foldWeights(trained: Weights): Weights {
  const { table, 'out.w': w, 'out.b': b } = trained as Record<'table' | 'out.w' | 'out.b', Weight>;
  const [rows = 0, dim = 0] = table.shape;
  const classes = Number(w.shape[1]);
  const folded = new Float32Array(rows * classes);
  for (let r = 0; r < rows; r++) {
    for (let d = 0; d < dim; d++) {
      const e = table.data[r * dim + d] as number;
      for (let c = 0; c < classes; c++) folded[r * classes + c]! += e * (w.data[d * classes + c] as number);
    }
  }
  return { table: { shape: [rows, classes], data: folded }, 'out.b': b };
}
