import { HyperSpace } from '../../domain/hyper-space.ts';
import { characterRows, fitCharacters } from '../../features/characters.ts';
import { textsOf } from '../../features/encoder.ts';
import type { Value } from '../../graph/graph.ts';
import type { Network, ParameterSpec, Values } from '../../graph/network.ts';
import { relu } from '../../graph/ops/activations.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import { conv1d } from '../../graph/ops/convolution/conv1d.ts';
import { dropout } from '../../graph/ops/dropout.ts';
import { embedding } from '../../graph/ops/embedding.ts';
import { dense } from '../../graph/ops/matmul.ts';
import { gru } from '../../graph/ops/recurrent/gru.ts';
import { sequenceLengths } from '../../graph/ops/recurrent/sequence.ts';
import { max } from '../../graph/ops/reductions.ts';
import { concat, reshape } from '../../graph/ops/shaping.ts';
import type { Tape } from '../../graph/tape.ts';
import { type Answers, answering, answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { NetworkFamily } from '../family.ts';
import { countKnob, numberKnob } from '../knobs.ts';
import { minTexts } from './rare-words.ts';
import { textRecipe } from './recipe.ts';
import { dropWords } from './word-dropout.ts';

/** Width of the filters, in characters, and stride of the maxima over their responses; width − 1 is a multiple of the stride. */
const width = 7;
const stride = 3;
const unknownCharacter = 1;

/**
 * Character RNN: gated units (Cho et al. 2014) over characters, without words. For small data, filters over seven characters
 * and their maxima over three come first, as in Kim et al. 2016 ("Character-Aware Neural Language Models", figure 1), which
 * divides the number of the RNN's steps by three; the linear layer reads the maxima of states and filters over time, not the
 * last state, as in Lai et al. 2015 ("Recurrent Convolutional Neural Networks for Text Classification", equations 3 to 6).
 */
export const charRnn: NetworkFamily = {
  name: 'char_rnn',
  title: 'Character RNN: gated units over characters',
  input: 'text',
  outputs: ['label', 'number'],
  minTrials: 8,

  space: () =>
    new HyperSpace()
      .addCategoricalKnob('max_characters', [128, 256, 512], { group: 'preprocessing', initial: 256 })
      .addCategoricalKnob('min_texts', [1, 2, 5], { group: 'preprocessing', initial: 2 })
      .addRangeKnob('character_dropout', 'float', 0, 0.2, { group: 'preprocessing', initial: 0.05 })
      .addCategoricalKnob('dim', [16, 32, 64], { group: 'architecture', initial: 32 })
      .addCategoricalKnob('filters', [64, 128, 192], { group: 'architecture', initial: 128 })
      .addCategoricalKnob('hidden', [64, 96, 128], { group: 'architecture', initial: 96 })
      .addRangeKnob('epochs', 'int', 4, 16, { group: 'training', initial: 8 })
      .addCategoricalKnob('batch', [32, 64], { group: 'training', initial: 64 })
      .addRangeKnob('learning_rate', 'float', 5e-4, 1e-2, { group: 'training', initial: 3e-3, log: true })
      .addRangeKnob('weight_decay', 'float', 0, 0.1, { group: 'training', initial: 0.01 })
      .addRangeKnob('dropout', 'float', 0.1, 0.6, { group: 'training', initial: 0.4 })
      .addRangeKnob('label_smoothing', 'float', 0, 0.2, { group: 'training', initial: 0.1 }),

  fit: (data, knobs) => ({
    encoder: 'characters',
    ...fitAnswers(data),
    state: fitCharacters(textsOf(data.inputs), {
      maxCharacters: countKnob(knobs, 'max_characters'),
      minTexts: minTexts(data.inputs.length, knobs),
      maxRows: 8192,
      // Each text then ends in a whole step of padding, so that its answer does not depend on the other texts of the batch.
      margin: width - 1 + stride,
      multiple: stride,
    }),
  }),

  network: (features, knobs) =>
    charRnnNetwork({
      rows: characterRows(features),
      dim: countKnob(knobs, 'dim'),
      filters: countKnob(knobs, 'filters'),
      hidden: countKnob(knobs, 'hidden'),
      ...answersOf(features),
    }),

  recipe: (knobs) => ({ ...textRecipe(knobs), clipNorm: 1 }),

  augment: (batch, knobs, rng) =>
    dropWords(batch['ids'], numberKnob(knobs, 'character_dropout'), { rng, by: unknownCharacter }),
};

interface CharRnnSize extends Answers {
  rows: number;
  dim: number;
  filters: number;
  hidden: number;
}

function charRnnNetwork({ rows, dim, filters, hidden, ...answers }: CharRnnSize): Network {
  const outputs = answerWidth(answers);
  const uniform = (shape: number[], fan: number): ParameterSpec => ({
    shape,
    init: { kind: 'uniform', bound: 1 / Math.sqrt(fan) },
  });
  return answering(answers, {
    inputs: { ids: { shape: ['T'], dtype: 'int32' } },
    parameters: {
      table: { shape: [rows, dim], init: { kind: 'normal', deviation: 0.5 }, rowsOf: 'ids' },
      'conv.w': uniform([width * dim, filters], width * dim),
      'conv.b': { shape: [filters], init: { kind: 'zeros' } },
      'gru.w': uniform([3 * hidden, filters], hidden),
      'gru.r': uniform([3 * hidden, hidden], hidden),
      'gru.b': { shape: [6 * hidden], init: { kind: 'zeros' } },
      'out.w': {
        shape: [hidden + filters, outputs],
        init: { kind: 'normal', deviation: 1 / Math.sqrt(hidden + filters) },
      },
      'out.b': { shape: [outputs], init: { kind: 'zeros' } },
    },
    logits: (t, inputs, parameters, ratio) => {
      const ids = inputs.of('ids');
      const steps = convolved(t, ids, { parameters, filters });
      const parts = { w: parameters.of('gru.w'), r: parameters.of('gru.r'), b: parameters.of('gru.b') };
      const states = gru(t, steps, parts, { lengths: sequenceLengths(t, ids, stride), output: 'all' });
      const joined = concat(t, [states, steps], 2);
      const [n = 1] = joined.shape;
      const maxima = reshape(t, max(t, joined, 1), [n, hidden + filters]);
      return dense(t, dropout(t, maxima, ratio), parameters.of('out.w'), parameters.of('out.b'));
    },
  });
}

/** [N, T] → [N, (T − width + 1) / stride, filters]: relu(max + b) equals the maximum of relu(· + b). */
function convolved(t: Tape, ids: Value, { parameters, filters }: { parameters: Values; filters: number }): Value {
  const responses = conv1d(t, embedding(t, parameters.of('table'), ids), parameters.of('conv.w'), width);
  const [n = 1] = responses.shape;
  const maxima = max(t, reshape(t, responses, [n, 'steps', stride, filters]), 2);
  return relu(t, add(t, reshape(t, maxima, [n, 'steps', filters]), parameters.of('conv.b')));
}
