import { add, mul, sub } from '../emit.ts';
import type { Optimiser } from './optimiser.ts';

/** Momentum (Sutskever et al. 2013) with L2 weight decay: v ← μ·v + g + λ·w, w ← w − η·v. */
export const sgd: Optimiser = {
  name: 'sgd',
  slots: ['velocity'],
  correction: () => 1,
  update(g, weight, gradient, slots, { stepSize, momentum, weightDecay }) {
    const pull = add(g, gradient, mul(g, weight, weightDecay));
    const velocity = slots.reduce((sum, slot) => add(g, mul(g, slot, momentum), sum), pull);
    return { weight: sub(g, weight, mul(g, velocity, stepSize)), slots: [velocity] };
  },
};
