import { algebra } from './algebra.ts';
import type { Operator } from './call.ts';
import { detection } from './detection.ts';
import { elementwise } from './elementwise.ts';
import { images } from './images.ts';
import { recurrent } from './recurrent.ts';
import { shaping } from './shaping.ts';

/** Every ONNX operator that training graphs in plain layout use, forward and update; others are errors. */
export const operators: Readonly<Record<string, Operator>> = {
  ...elementwise,
  ...algebra,
  ...shaping,
  ...images,
  ...recurrent,
  ...detection,
};
