import * as emit from '../emit.ts';
import type { Optimiser } from './optimiser.ts';

/** Momentum (Sutskever et al. 2013) with L2 weight decay: v ← μ·v + g + λ·w, w ← w − η·v. */
export const sgd: Optimiser = {
  name: 'sgd',
  slots: ['velocity'],
  correction: () => 1,
  update(g, weight, gradient, slots, { stepSize, momentum, weightDecay }) {
    const decayed = emit.add(g, gradient, emit.mul(g, weight, weightDecay));
    const velocity = slots.reduce((sum, slot) => emit.add(g, emit.mul(g, slot, momentum), sum), decayed);
    return { weight: emit.sub(g, weight, emit.mul(g, velocity, stepSize)), slots: [velocity] };
  },
};
