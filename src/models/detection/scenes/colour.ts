import type { Rng } from '../../../runtime/rng.ts';

/**
 * A change of colours: each becomes gain · colour + grey · brightness of the pixel + shift. Contrast and tint are in the gains,
 * saturation is what goes from a colour to the pixel's brightness.
 */
export interface ColourChange {
  gains: readonly [number, number, number];
  grey: number;
  shift: number;
}

/** A random change; none at strength 0. */
export function colourOf(strength: number, rng: Rng): ColourChange {
  const about = (middle: number, max: number): number => middle + max * strength * (2 * rng.uniform() - 1);
  const contrast = about(1, 1);
  const saturation = about(1, 1);
  const gain = (): number => contrast * saturation * about(1, 0.15);
  const gains = [gain(), gain(), gain()] as const;
  return { gains, grey: contrast * (1 - saturation), shift: 128 * (1 - contrast) + about(0, 80) };
}
