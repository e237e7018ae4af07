import type { Knobs } from '../../domain/hyper-space.ts';
import { countKnob } from '../knobs.ts';

/** Below this number of texts, words of a single text are kept, too. */
const fewTexts = 1000;

/** Minimum number of texts with a word for it to be kept. */
export const minTexts = (texts: number, knobs: Knobs): number => (texts < fewTexts ? 1 : countKnob(knobs, 'min_texts'));
