import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../../src/domain/tensor.ts';
import type { TrainingStep } from '../../../src/engine/feeds.ts';
import { Trainer, type TrainerOptions } from '../../../src/engine/trainer.ts';
import { classifier } from '../../../src/graph/classifier.ts';
import type { Network } from '../../../src/graph/network.ts';
import { matmul } from '../../../src/graph/ops/matmul.ts';
import { optimisers } from '../../../src/graph/optimisers/registry.ts';
import { decayAt } from '../../../src/graph/weight-average.ts';
import { vggNetwork } from '../../../src/models/image/vgg.ts';
import { fasttextNetwork } from '../../../src/models/text/fasttext.ts';
import { createRng, type Rng } from '../../../src/runtime/rng.ts';

/** One weight per class and a constant input: the gradient is softmax(w) − target. */
const linear = classifier({
  classes: 2,
  inputs: { x: { shape: [1], dtype: 'float32' } },
  parameters: { w: { shape: [1, 2], init: { kind: 'zeros' } } },
  logits: (t, inputs, parameters) => matmul(t, inputs.of('x'), parameters.of('w')),
});
const floats = (shape: number[], ...data: number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
});
const linearStep = (learningRate: number, ...truth: [number, number]): TrainingStep => ({
  inputs: { x: floats([1, 1], 1) },
  targets: { truth: floats([1, 2], ...truth) },
  learningRate,
});
const plain = { momentum: 0, weightDecay: 0, dropout: 0 };

async function trained<T>(options: Partial<TrainerOptions>, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await Trainer.create({
    network: linear,
    optimiser: 'sgd',
    batch: 1,
    threads: 1,
    seed: 3,
    ...options,
  });
  try {
    return await use(trainer);
  } finally {
    await trainer.release();
  }
}

const weightOf = (trainer: Trainer): number[] => Array.from(trainer.state()['w']?.data as Float32Array);

describe('averages of the weights', () => {
  it('follow the weights at the pace of the decay, and are what is exported', async () => {
    await trained({ averages: true }, async (trainer) => {
      let expected = [0, 0];
      for (let t = 0; t < 30; t++) {
        await trainer.run([linearStep(0.5, 0, 1)], { ...plain, averageDecay: 0.6 });
        const decay = decayAt(t, 0.6);
        expected = weightOf(trainer).map((w, i) => decay * (expected[i] as number) + (1 - decay) * w);
        Array.from(trainer.weights()['w']?.data ?? []).forEach((average, i) => {
          expect(average).toBeCloseTo(expected[i] as number, 5);
        });
      }
      expect(Math.abs((expected[0] as number) - (weightOf(trainer)[0] as number))).toBeGreaterThan(1e-3);
    });
  });

  it('leave the weights as they are without', async () => {
    const steps = [linearStep(0.5, 0, 1), linearStep(0.2, 1, 0)];
    const without = await trained({}, async (trainer) => {
      await trainer.run(steps, plain);
      return weightOf(trainer);
    });
    const withAverages = await trained({ averages: true }, async (trainer) => {
      await trainer.run(steps, { ...plain, averageDecay: 0.9 });
      return weightOf(trainer);
    });
    expect(withAverages).toEqual(without);
  });

  it('begin as the weights that a trial is given', async () => {
    await trained({ averages: true }, async (trainer) => {
      trainer.setInitialWeights({ w: floats([1, 2], 3, 4) });
      expect(Array.from(trainer.weights()['w']?.data ?? [])).toEqual([3, 4]);
    });
  });
});

describe('a batch of another size', () => {
  const two = (learningRate: number): TrainingStep => ({
    inputs: { x: floats([2, 1], 1, 1) },
    targets: { truth: floats([2, 2], 0, 1, 0, 1) },
    learningRate,
  });

  it('goes on with the same weights and slots: twice the same row is the mean of two', async () => {
    const settings = { ...plain, momentum: 0.9 };
    const ends = async (resized: boolean): Promise<number[]> =>
      trained({}, async (trainer) => {
        await trainer.run([linearStep(0.5, 0, 1), linearStep(0.5, 0, 1)], settings);
        if (resized) await trainer.setBatch(2);
        await trainer.run([resized ? two(0.5) : linearStep(0.5, 0, 1)], settings);
        return weightOf(trainer);
      });
    const [same, resized] = [await ends(false), await ends(true)];
    resized.forEach((weight, i) => {
      expect(weight).toBeCloseTo(same[i] as number, 6);
    });
  });

  it('is named when training diverges with it', async () => {
    const diverging = trained({}, async (trainer) => {
      await trainer.setBatch(2);
      await trainer.run([two(1e9), two(1e9), two(1e9)], { ...plain, weightDecay: 1 });
    });
    await expect(diverging).rejects.toMatchObject({ detail: expect.stringContaining('"batch":2') });
  });
});

describe('uses of table rows', () => {
  it('are counted by steps, each row once a step, until they are taken', async () => {
    const network = fasttextNetwork({ rows: 5, dim: 2, classes: 2 });
    const ids = (...rows: number[]): TrainingStep => ({
      inputs: { ids: { dtype: 'int32', shape: [1, rows.length], data: Int32Array.from(rows) } },
      targets: { truth: floats([1, 2], 0, 1) },
      learningRate: 0.1,
    });
    await trained({ network }, async (trainer) => {
      await trainer.run([ids(1, 1, 3), ids(3, 0, 0)], plain);
      expect(Array.from(trainer.takeUses()).slice(1)).toEqual([1, 0, 2, 0]);
      expect(Array.from(trainer.takeUses()).slice(1)).toEqual([0, 0, 0, 0]);
    });
  });
});

describe('clipping', () => {
  const stepWith = (clipNorm: number): Promise<number[]> =>
    trained({ clips: true }, async (trainer) => {
      await trainer.run([linearStep(1, 0, 1)], { ...plain, clipNorm }); // the gradient is (½, −½)
      return weightOf(trainer);
    });

  it('shortens a gradient that is longer than the limit, in its own direction', async () => {
    const moved = await stepWith(0.1);
    expect(moved[0]).toBeCloseTo(-0.1 * Math.SQRT1_2, 5);
    expect(moved[1]).toBeCloseTo(0.1 * Math.SQRT1_2, 5);
  });

  it('leaves a shorter one', async () => {
    expect(await stepWith(5)).toEqual([-0.5, 0.5]);
  });
});

describe('a loss beyond reason', () => {
  it('ends training with the step and the knobs, though it is a number', async () => {
    await trained({}, async (trainer) => {
      const run = trainer.run([linearStep(1e5, 0, 1), linearStep(1e5, 1, 0)], plain);
      await expect(run).rejects.toMatchObject({
        sqlstate: '22003',
        detail: expect.stringMatching(/loss 100000 at step 2 with .*"learningRate":100000/),
      });
    });
  });

  it('is compared with the first step, also after a resume', async () => {
    const settings = { ...plain };
    await trained({}, async (trainer) => {
      await trainer.run([linearStep(0, 0, 1)], settings);
      const state = trainer.state();
      await trained({}, async (resumed) => {
        resumed.restore({ ...state, 'first loss': floats([1], 1000) }, 1);
        const losses = await resumed.run([linearStep(1e5, 0, 1), linearStep(0, 1, 0)], settings);
        expect(losses[1]).toBeGreaterThan(9e4);
      });
    });
  });
});

describe('a run that is killed between two chunks', () => {
  const image = { side: 8, mean: [128, 128, 128], deviation: [74, 74, 74] };
  const batch = 4;
  const cases: Record<string, { network: Network; inputs: (rng: Rng) => TrainingStep['inputs'] }> = {
    'of a table': {
      network: fasttextNetwork({ rows: 50, dim: 8, classes: 2 }),
      inputs: (rng) => ({
        ids: { dtype: 'int32', shape: [batch, 6], data: Int32Array.from({ length: batch * 6 }, () => rng.below(50)) },
      }),
    },
    'of batch norm': {
      network: vggNetwork({ image, stages: [[16]], classes: 2 }),
      inputs: (rng) => ({
        image: {
          dtype: 'uint8',
          shape: [batch, 3, 8, 8],
          data: Uint8Array.from({ length: batch * 3 * 64 }, () => rng.below(256)),
        },
      }),
    },
  };
  const settings = { momentum: 0.9, weightDecay: 1e-3, dropout: 0.3, clipNorm: 1, averageDecay: 0.9 };

  function chunksOf(inputs: (rng: Rng) => TrainingStep['inputs']): TrainingStep[][] {
    const rng = createRng(5);
    const truth = floats([batch, 2], 1, 0, 0, 1, 0, 1, 1, 0);
    const step = (): TrainingStep => ({ inputs: inputs(rng), targets: { truth }, learningRate: 0.01 });
    return Array.from({ length: 4 }, () => [step(), step(), step()]);
  }

  describe.each(Object.entries(cases))('%s', (_, { network, inputs }) => {
    it.each(Object.keys(optimisers) as (keyof typeof optimisers)[])(
      'goes on to the last bit: %s',
      async (optimiser) => {
        const options = { network, optimiser, batch, clips: true, averages: true };
        const states: ReturnType<Trainer['state']>[] = [];
        const final = await trained(options, async (trainer) => {
          for (const chunk of chunksOf(inputs)) {
            await trainer.run(chunk, settings);
            states.push(trainer.state());
          }
          return { state: trainer.state(), weights: structuredClone(trainer.weights()) };
        });
        for (const killed of [0, 1, 2]) {
          await trained(options, async (trainer) => {
            trainer.restore(states[killed] as ReturnType<Trainer['state']>, 3 * (killed + 1));
            for (const chunk of chunksOf(inputs).slice(killed + 1)) await trainer.run(chunk, settings);
            expect(trainer.state()).toEqual(final.state);
            expect(trainer.weights()).toEqual(final.weights);
          });
        }
      },
    );
  });
});
