import { add, mul, sub } from '../emit.ts';
import { momentCorrection, momentSlots, momentStep } from './moments.ts';
import type { Optimiser } from './optimiser.ts';

/** Adam (Kingma and Ba 2015) with L2 weight decay: w ← w − α·m / (√v + ε) with the moments of g + λ·w. See `moments.ts`. */
export const adam: Optimiser = {
  name: 'adam',
  slots: momentSlots,
  correction: momentCorrection,
  update(g, weight, gradient, held, { stepSize, weightDecay }) {
    const pull = add(g, gradient, mul(g, weight, weightDecay));
    const { step, slots } = momentStep(g, pull, { slots: held, stepSize });
    return { weight: sub(g, weight, step), slots };
  },
};
