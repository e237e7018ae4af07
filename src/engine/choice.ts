import { createRequire } from 'node:module';
import { InvalidParameter } from '../errors/errors.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { chosenDevice, type DeviceName } from './device-name.ts';
import type { Engine } from './engine.ts';
import { onnxEngine } from './onnx-engine.ts';
import type { TensorFlow } from './tfjs/call.ts';
import { tensorflowEngine } from './tfjs/engine.ts';

/** An optional peer: its install fetches a library from a host that many networks block. */
const tensorflowPackage = '@tensorflow/tfjs-node-gpu';

let chosen: Promise<Engine> | null = null;

/** The engine that this process trains with: `RAFIKI_ENGINE` (onnx, tfjs) and `RAFIKI_DEVICE`. */
export function chosenEngine(): Promise<Engine> {
  chosen ??= chooseEngine(parseEngine(process.env['RAFIKI_ENGINE']), {
    device: chosenDevice(),
    logger: createLogger('engine'),
  });
  return chosen;
}

const engineNames = ['onnx', 'tfjs'] as const;
type EngineName = (typeof engineNames)[number];

/** The engine of that name; ONNX Runtime where none is given. */
export function parseEngine(name: string | undefined): EngineName {
  if (name === undefined || name === '') return 'onnx';
  const engine = engineNames.find((known) => known === name);
  if (engine !== undefined) return engine;
  throw new InvalidParameter(`there is no engine "${name}"`, {
    hint: `RAFIKI_ENGINE is one of ${engineNames.join(', ')}.`,
  });
}

/** TensorFlow.js where it is asked for and loads, else ONNX Runtime. */
export async function chooseEngine(
  name: EngineName,
  { device, logger }: { device: DeviceName; logger: Logger },
): Promise<Engine> {
  if (name === 'tfjs') {
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
