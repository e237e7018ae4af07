import { createRequire } from 'node:module';
import { type Computing, computing } from './computing.ts';
import type { Engine } from './engine.ts';
import { onnxEngine } from './onnx-engine.ts';
import type { TensorFlow } from './tfjs/call.ts';
import { tensorflowEngine } from './tfjs/engine.ts';

/** An optional peer dependency: its installation downloads a library from a host that many networks block. */
const tensorflowPackage = '@tensorflow/tfjs-node-gpu';

let chosen: Promise<Engine> | null = null;

/** The engine selected by `computeWith`. */
export function chosenEngine(): Promise<Engine> {
  chosen ??= chooseEngine(computing());
  return chosen;
}

/** TensorFlow.js if it is selected and loads, otherwise ONNX Runtime. */
export async function chooseEngine({ engine, device, logger }: Computing): Promise<Engine> {
  if (engine === 'tfjs') {
    try {
      return tensorflowEngine(await loadTensorflow());
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      logger.warn({ package: tensorflowPackage, reason }, 'TensorFlow.js does not load: training on ONNX Runtime');
    }
  }
  return onnxEngine(device);
}

async function loadTensorflow(): Promise<TensorFlow> {
  const tf: TensorFlow = createRequire(import.meta.url)(tensorflowPackage);
  await tf.ready();
  return tf;
}
