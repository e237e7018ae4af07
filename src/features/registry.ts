import type { FittedFeatures } from '../domain/training.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { createCharacterEncoder } from './characters.ts';
import { createPlainEncoder } from './columns/plain.ts';
import { createDenseEncoder } from './dense.ts';
import type { Encoder } from './encoder.ts';
import { createNgramEncoder } from './ngrams.ts';
import { createPixelEncoder } from './pixels.ts';
import { createPieceEncoder } from './pretrained/pieces.ts';
import { createPreprocessedEncoder } from './pretrained/preprocessing.ts';
import { createTokenEncoder } from './pretrained/tokens.ts';
import { createSceneEncoder } from './scenes.ts';
import { createStretchedEncoder } from './stretched.ts';
import { createSubwordEncoder } from './subwords.ts';
import { createWeightedNgramEncoder } from './weighted/weighted-ngrams.ts';

/** Creates encoders from fitted features by kind, `FittedFeatures.encoder`. */
const encoders = {
  dense: createDenseEncoder,
  plain: createPlainEncoder,
  weighted_ngrams: createWeightedNgramEncoder,
  ngrams: createNgramEncoder,
  subwords: createSubwordEncoder,
  characters: createCharacterEncoder,
  pieces: createPieceEncoder,
  pixels: createPixelEncoder,
  preprocessed: createPreprocessedEncoder,
  scenes: createSceneEncoder,
  stretched: createStretchedEncoder,
  tokens: createTokenEncoder,
} as const satisfies Record<string, (features: FittedFeatures) => Encoder>;
export type EncoderName = keyof typeof encoders;

const isEncoder = (name: string): name is EncoderName => Object.hasOwn(encoders, name);

/** The encoder of the given features, the same for serving and training. Throws EnvironmentUnfit for a kind that only another version knows. */
export function createEncoder(features: FittedFeatures): Encoder {
  if (isEncoder(features.encoder)) return encoders[features.encoder](features);
  throw new EnvironmentUnfit('the model was trained with features that are unknown to this version', {
    detail: `encoder "${features.encoder}"`,
    hint: 'Run the version of Rafiki that trained it, or train the model again.',
  });
}
