import { algebraOperators } from './algebra.ts';
import type { Operator } from './call.ts';
import { detectionOperators } from './detection.ts';
import { elementwiseOperators } from './elementwise.ts';
import { imageOperators } from './images.ts';
import { recurrentOperators } from './recurrent.ts';
import { shapingOperators } from './shaping.ts';

/** Every ONNX operator that training graphs in plain layout use, forward and update; others are errors. */
export const operators: Readonly<Record<string, Operator>> = {
  ...elementwiseOperators,
  ...algebraOperators,
  ...shapingOperators,
  ...imageOperators,
  ...recurrentOperators,
  ...detectionOperators,
};
