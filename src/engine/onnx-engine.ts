import { encodeModel } from '../graph/onnx.ts';
import { kernelsOf } from './device.ts';
import type { DeviceName } from './device-name.ts';
import type { Engine } from './engine.ts';
import { borrowSession } from './session.ts';

/** ONNX Runtime on one of its devices. */
export const onnxEngine = (device: DeviceName): Engine => ({
  name: `onnxruntime on ${device}`,
  kernels: (threads) => kernelsOf(device, threads),
  borrow: (graph, threads) => borrowSession(encodeModel(graph), threads, device),
});
