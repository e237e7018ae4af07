import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-cpu';
import type { Engine } from '../../src/engine/engine.ts';
import { tensorflowEngine } from '../../src/engine/tfjs/engine.ts';

/** TensorFlow.js in plain JavaScript: slow, and written by others. */
export async function tensorflowWitness(): Promise<Engine> {
  tf.env().set('IS_TEST', true); // or it advertises its native backend
  await tf.setBackend('cpu');
  return tensorflowEngine(tf);
}
