import * as emit from '../emit.ts';
import { momentCorrection, momentSlots, momentStep } from './moments.ts';
import type { Optimiser } from './optimiser.ts';

/** Adam (Kingma and Ba 2015) with L2 weight decay: w ← w − α·m / (√v + ε) with the moments of g + λ·w. See `moments.ts`. */
export const adam: Optimiser = {
  name: 'adam',
  slots: momentSlots,
  correction: momentCorrection,
  update(g, weight, gradient, slots, { stepSize, weightDecay }) {
    const decayed = emit.add(g, gradient, emit.mul(g, weight, weightDecay));
    const { step, slots: updated } = momentStep(g, decayed, { slots: slots, stepSize });
    return { weight: emit.sub(g, weight, step), slots: updated };
  },
};
