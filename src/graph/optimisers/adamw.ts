import * as emit from '../emit.ts';
import { momentCorrection, momentSlots, momentStep } from './moments.ts';
import type { Optimiser } from './optimiser.ts';

/**
 * Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019): w ← w − ηλ·w − α·m / (√v + ε) with the
 * moments of the gradient alone, so that the decay is the same for all weights. `moments.ts` has m, v and α.
 */
export const adamw: Optimiser = {
  name: 'adamw',
  slots: momentSlots,
  correction: momentCorrection,
  update(g, weight, gradient, slots, { stepSize, learningRate, weightDecay }) {
    const { step, slots: updated } = momentStep(g, gradient, { slots, stepSize });
    const decayed = emit.sub(g, weight, emit.mul(g, weight, emit.mul(g, learningRate, weightDecay)));
    return { weight: emit.sub(g, decayed, step), slots: updated };
  },
};
