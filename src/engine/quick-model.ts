import { binding, initOrt } from 'onnxruntime-node/dist/binding.js';
import type { TensorData } from '../domain/tensor.ts';
import { computing } from './computing.ts';
import { fromRuntime, sessionOptions, toRuntime, unloadable } from './session.ts';

/** A loaded model that blocks the caller while it runs. */
export interface QuickModel {
  /** Probabilities [N, classes] for N rows. */
  run(feeds: Readonly<Record<string, TensorData>>): TensorData;
  release(): void;
}

/**
 * As {@link loadModel}, for models that run quicker than a promise and a turn of the event loop take. It uses the native
 * session, which is synchronous; the public API of onnxruntime-node wraps each run in setImmediate. That file is not part of
 * the API, hence the exact version in package.json.
 */
export function loadQuickModel(onnx: Uint8Array): QuickModel {
  const { device } = computing();
  initOrt();
  const session = new binding.InferenceSession();
  try {
    const options = sessionOptions({ threads: 1, device, planned: true, longLived: true });
    // `buffer` is shared memory only if the caller made it so: no file of a model is
    session.loadModel(onnx.buffer as ArrayBuffer, onnx.byteOffset, onnx.byteLength, options);
  } catch (cause) {
    throw unloadable(device, cause);
  }
  const output = session.outputMetadata[0]?.name ?? '';
  return {
    run(feeds) {
      const tensors: Record<string, ReturnType<typeof toRuntime>> = {};
      for (const name in feeds) tensors[name] = toRuntime(feeds[name] as TensorData);
      return fromRuntime(session.run(tensors, { [output]: null }, {})[output] as ReturnType<typeof toRuntime>);
    },
    release: () => session.dispose(),
  };
}
