import * as emit from '../emit.ts';
import type { Optimiser } from './optimiser.ts';

/** Nesterov's momentum (Sutskever et al. 2013) with L2 weight decay: g' = g + λ·w, v ← μ·v + g', w ← w − η·(g' + μ·v). */
export const nesterov: Optimiser = {
  name: 'nesterov',
  slots: ['velocity'],
  correction: () => 1,
  update(g, weight, gradient, slots, { stepSize, momentum, weightDecay }) {
    const decayed = emit.add(g, gradient, emit.mul(g, weight, weightDecay));
    const velocity = slots.reduce((sum, slot) => emit.add(g, emit.mul(g, slot, momentum), sum), decayed);
    const nesterovStep = emit.add(g, decayed, emit.mul(g, velocity, momentum));
    return { weight: emit.sub(g, weight, emit.mul(g, nesterovStep, stepSize)), slots: [velocity] };
  },
};
