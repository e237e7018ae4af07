import { classifier } from '../../src/graph/classifier.ts';
import type { ParameterSpec } from '../../src/graph/network.ts';
import { embedding } from '../../src/graph/ops/embedding.ts';
import { dense } from '../../src/graph/ops/matmul.ts';
import { gru } from '../../src/graph/ops/recurrent/gru.ts';
import { lstm } from '../../src/graph/ops/recurrent/lstm.ts';

/** Character networks on texts of 128: 100 characters × 64, one recurrent layer of 128, a linear layer; `peer.py` has the same. */
const [characters, width, hidden, classes] = [100, 64, 128, 2];

const cells = { gru: { op: gru, gates: 3, biases: 6 }, lstm: { op: lstm, gates: 4, biases: 4 } } as const;

export function recurrent(kind: keyof typeof cells) {
  const { op, gates, biases } = cells[kind];
  const bound = 1 / Math.sqrt(hidden);
  const uniform = (...shape: number[]): ParameterSpec => ({ shape, init: { kind: 'uniform', bound } });
  return classifier({
    classes,
    inputs: { ids: { shape: ['T'], dtype: 'int32' } },
    parameters: {
      table: { shape: [characters, width], init: { kind: 'normal', deviation: 1 } },
      w: uniform(gates * hidden, width),
      r: uniform(gates * hidden, hidden),
      b: uniform(biases * hidden),
      'out.w': uniform(hidden, classes),
      'out.b': uniform(classes),
    },
    logits: (t, inputs, parameters) => {
      const x = embedding(t, parameters.of('table'), inputs.of('ids'));
      const last = op(t, x, { w: parameters.of('w'), r: parameters.of('r'), b: parameters.of('b') });
      return dense(t, last, parameters.of('out.w'), parameters.of('out.b'));
    },
  });
}
