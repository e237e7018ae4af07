import type { Rng } from '../../../runtime/rng.ts';

/**
 * A change of colours: each becomes gain · colour + grey · brightness of the pixel + shift. Contrast and tint are in the gains;
 * saturation is the ratio of gains and grey.
 */
export interface ColourChange {
  gains: readonly [number, number, number];
  grey: number;
  shift: number;
}

/** A random change; the identity at strength 0. */
export function randomColourChange(strength: number, rng: Rng): ColourChange {
  const around = (middle: number, max: number): number => middle + max * strength * (2 * rng.uniform() - 1);
  const contrast = around(1, 1);
  const saturation = around(1, 1);
  const gain = (): number => contrast * saturation * around(1, 0.15);
  const gains = [gain(), gain(), gain()] as const;
  return { gains, grey: contrast * (1 - saturation), shift: 128 * (1 - contrast) + around(0, 80) };
}
