import type { HyperSpace } from '../../domain/hyper-space.ts';
import type { KnownEncoder } from '../../domain/training.ts';

/** The knob's value where no study says which encoders there are. */
const NEWEST = 'newest';

/** Which of these encoders a trial stands on. */
export function addEncoderKnob(space: HyperSpace, encoders: readonly KnownEncoder[]): HyperSpace {
  const names = encoders.map(({ name }) => name);
  return space.addCategoricalKnob('encoder', names.length > 0 ? names : [NEWEST], {
    ...{ group: 'preprocessing', initial: names[0] ?? NEWEST },
    valuesFrom: 'encoders',
  });
}
