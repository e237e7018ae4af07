import type { Knobs } from '../../domain/hyper-space.ts';
import { countKnob } from '../knobs.ts';

/** Below this many texts a word is worth keeping even if only one has it. */
const fewTexts = 1000;

/** In how many texts a word must occur to be kept. */
export const minTexts = (texts: number, knobs: Knobs): number => (texts < fewTexts ? 1 : countKnob(knobs, 'min_texts'));
