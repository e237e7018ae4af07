import { add, mul, sub } from '../emit.ts';
import type { Optimiser } from './optimiser.ts';

/** Nesterov's momentum (Sutskever et al. 2013) with L2 weight decay: g' = g + λ·w, v ← μ·v + g', w ← w − η·(g' + μ·v). */
export const nesterov: Optimiser = {
  name: 'nesterov',
  slots: ['velocity'],
  correction: () => 1,
  update(g, weight, gradient, slots, { stepSize, momentum, weightDecay }) {
    const pull = add(g, gradient, mul(g, weight, weightDecay));
    const velocity = slots.reduce((sum, slot) => add(g, mul(g, slot, momentum), sum), pull);
    const ahead = add(g, pull, mul(g, velocity, momentum));
    return { weight: sub(g, weight, mul(g, ahead, stepSize)), slots: [velocity] };
  },
};
