import type { Constant } from '../../graph/graph.ts';
import { emitImported } from '../../graph/imported/emit-imported.ts';
import type { Network, ParameterSpec } from '../../graph/network.ts';
import { dropout } from '../../graph/ops/dropout.ts';
import { dense } from '../../graph/ops/matmul.ts';
import { type Answers, answering, answerWidth } from '../answering.ts';
import type { PretrainedBody } from '../family.ts';

interface TunedSettings {
  /** Share of the matrices of weights that are trained: those next to the answer. */
  share: number;
  /** Learning rate of the first one, as a share of that of the last one; between them it grows by equal factors. */
  firstRate: number;
  /** That of the head, as a multiple of the last one's. */
  headRate: number;
}

interface TunedParts extends Answers, PretrainedBody {
  settings: TunedSettings;
}

/** An encoder and a linear head on its vectors, in which the last weights of the encoder are trained. */
export function tunedNetwork({ encoder, from, head, headFrom, settings, ...answers }: TunedParts): Network {
  const outputs = answerWidth(answers);
  const { graph, width, inputs } = encoder;
  const trained = ratedWeights(encoder.trainable.weights, settings);
  const given = (values: Float32Array, of: string) => ({ kind: 'given', values, from: of }) as const;
  const body = trained.map(({ weight: { name, shape, data }, rate }): [string, ParameterSpec] => [
    `body.${name}`,
    { shape: shape.map(Number), init: given(data as Float32Array, `${from} ${name}`), rate },
  ]);
  const network = answering(answers, {
    inputs,
    parameters: {
      ...Object.fromEntries(body),
      'out.w': { shape: [width, outputs], init: given(head.w, headFrom), rate: settings.headRate },
      'out.b': { shape: [outputs], init: given(head.b, headFrom), rate: settings.headRate },
    },
    logits: (t, rows, parameters, ratio) => {
      const vectors = emitImported(t, graph, {
        inputs: new Map(Object.keys(inputs).map((name) => [name, rows.of(name)])),
        weights: new Map(trained.map(({ weight: { name } }) => [name, parameters.of(`body.${name}`)])),
      });
      return dense(t, dropout(t, vectors, ratio), parameters.of('out.w'), parameters.of('out.b'));
    },
  });
  return { ...network, isForeign: true };
}

interface RatedWeight {
  weight: Constant;
  rate: number;
}

/** The weights that are trained, each with its learning rate. A vector of weights goes with the matrix before it. */
export function ratedWeights(weights: readonly Constant[], { share, firstRate }: TunedSettings): RatedWeight[] {
  const isMatrix = ({ shape }: Constant): boolean => shape.length > 1;
  const last = weights.filter(isMatrix).length - 1;
  const first = Math.floor((1 - share) * (last + 1));
  let place = -1;
  return weights.flatMap((weight) => {
    if (isMatrix(weight)) place++;
    const at = Math.max(0, place);
    return at < first ? [] : [{ weight, rate: last === 0 ? 1 : firstRate ** (1 - at / last) }];
  });
}
