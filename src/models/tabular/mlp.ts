import { HyperSpace, type Knobs } from '../../domain/hyper-space.ts';
import { denseColumns, fitDense } from '../../features/dense.ts';
import type { Value } from '../../graph/graph.ts';
import type { ParameterSpec, Values } from '../../graph/network.ts';
import { relu } from '../../graph/ops/activations.ts';
import { add, mul } from '../../graph/ops/arithmetic.ts';
import { dropout } from '../../graph/ops/dropout.ts';
import { batchMatmul, matmul } from '../../graph/ops/matmul.ts';
import type { Tape } from '../../graph/tape.ts';
import { answering, answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { NetworkFamily, Recipe } from '../family.ts';
import { countKnob, numberKnob, regularisationKnobs, trainingKnobs } from '../knobs.ts';
import { numberEmbedding } from './number-embedding.ts';

/** Fewer than of a linear model, whose steps are quicker. */
const stepsPerRun = 32;

/** Each member scales all columns of a row: wider tables have fewer members, so that a step stays within tens of MB. */
const MAX_SCALED = 16_384;

/** The parameters of one layer of all members, which share the matrix: see {@link layer}. */
function layerParameters(name: string, shape: Record<'inputs' | 'width' | 'members', number>, isFirst: boolean) {
  const { inputs, width, members } = shape;
  return {
    // members differ from the beginning by what they see of the input
    [`${name}.in`]: {
      shape: [members, 1, inputs],
      init: isFirst ? { kind: 'normal', deviation: 1 } : { kind: 'ones' },
    },
    [`${name}.w`]: { shape: [inputs, width], init: { kind: 'normal', deviation: 1 / Math.sqrt(inputs) } },
    [`${name}.out`]: { shape: [members, 1, width], init: { kind: 'ones' } },
    [`${name}.b`]: { shape: [members, 1, width], init: { kind: 'uniform', bound: 0.5 } },
  } as const satisfies Record<string, ParameterSpec>;
}

/** Of member k: relu((x ⊙ in_k) W ⊙ out_k + b_k), x [members, N, inputs], or [N, inputs] for all of them → [members, N, width]. */
function layer(t: Tape, name: string, x: Value, parameters: Values): Value {
  const of = (part: string): Value => parameters.of(`${name}.${part}`);
  const y = matmul(t, mul(t, x, of('in')), of('w'));
  return relu(t, add(t, mul(t, y, of('out')), of('b')));
}

/**
 * TabM (Gorishniy et al. 2024, arXiv 2410.24210): several perceptrons that share their matrices, and differ by the vectors that scale what
 * enters and leaves these (BatchEnsemble, Wen et al. 2020). Each is trained on its own loss; the answer is their mean.
 */
export const mlp: NetworkFamily = {
  name: 'mlp',
  title: 'MLP: perceptrons that share weights and answer together (TabM), on embedded numbers',
  input: 'columns',
  outputs: ['label', 'number'],

  space: () =>
    new HyperSpace()
      .addRangeKnob('epochs', 'int', 10, 200, { group: 'training', initial: 60 })
      .addCategoricalKnob('batch', [32, 64, 128, 256], { group: 'training', initial: 128 })
      .addRangeKnob('learning_rate', 'float', 1e-3, 0.05, { group: 'training', initial: 0.008, log: true })
      .addRangeKnob('weight_decay', 'float', 1e-4, 0.3, { group: 'training', initial: 0.01, log: true })
      .addRangeKnob('dropout', 'float', 0, 0.5, { group: 'training', initial: 0.1 })
      .addRangeKnob('label_smoothing', 'float', 0, 0.2, { group: 'training', initial: 0 })
      .addRangeKnob('frequency', 'float', 0.05, 1, { group: 'architecture', initial: 0.3, log: true })
      .addCategoricalKnob('width', [64, 128, 256], { group: 'architecture', initial: 128 })
      .addRangeKnob('depth', 'int', 1, 3, { group: 'architecture', initial: 2 })
      .addCategoricalKnob('members', [4, 8, 16], { group: 'architecture', initial: 8 }),

  fit: (data) => ({ encoder: 'dense', ...fitAnswers(data), state: fitDense(data.inputs, data) }),

  network: (features, knobs) => {
    const answers = answersOf(features);
    const { numbers, width: columns } = denseColumns(features);
    const embedding = numberEmbedding({ numbers, columns, frequency: numberKnob(knobs, 'frequency') });
    const [width, outputs] = [countKnob(knobs, 'width'), answerWidth(answers)];
    const members = Math.max(1, Math.min(countKnob(knobs, 'members'), Math.floor(MAX_SCALED / embedding.width)));
    const layers = Array.from({ length: countKnob(knobs, 'depth') }, (_, i) => ({
      name: `hidden${i}`,
      parameters: layerParameters(`hidden${i}`, { inputs: i === 0 ? embedding.width : width, width, members }, i === 0),
    }));
    return answering(answers, {
      inputs: { x: { shape: [columns], dtype: 'float32' } },
      parameters: {
        ...embedding.parameters,
        ...Object.assign({}, ...layers.map(({ parameters }) => parameters)),
        'out.w': { shape: [members, width, outputs], init: { kind: 'normal', deviation: 0.3 / Math.sqrt(width) } },
        'out.b': { shape: [members, 1, outputs], init: { kind: 'zeros' } },
      },
      logits(t, inputs, parameters, ratio) {
        let x = embedding.embed(t, inputs.of('x'), parameters);
        for (const { name } of layers) {
          const y = layer(t, name, x, parameters);
          x = dropout(t, y, ratio, [1, ...y.shape.slice(1)]);
        }
        return add(t, batchMatmul(t, x, parameters.of('out.w')), parameters.of('out.b'));
      },
    });
  },

  recipe: (knobs: Knobs): Recipe => ({
    optimiser: 'adamw',
    ...trainingKnobs(knobs),
    ...regularisationKnobs(knobs),
    momentum: 0,
    schedule: { kind: 'cosine', warmUp: 0.05 },
    averageDecay: 0.99,
    stepsPerRun,
  }),
};
