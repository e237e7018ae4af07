import { Graph } from '../graph/graph.ts';
import type { Kernels } from '../graph/kernels.ts';
import { encodeModel } from '../graph/onnx.ts';
import type { DeviceName } from './device-name.ts';
import { createSession } from './session.ts';

/** Channels of the probe; no block is larger. */
const channels = 16;

/** Settings for graphs that run with ONNX Runtime on this device. The only place that chooses layout and kernels. */
export async function kernelsOf(device: DeviceName, threads: number): Promise<Kernels> {
  const block = device === 'cpu' ? await imageBlock() : 1;
  return { threaded: device !== 'cpu' || threads > 1, block, portable: device === 'webgpu', engineGradients: false };
}

/** Throws an error with the missing requirement if the device is not available. */
export async function checkDevice(device: DeviceName): Promise<void> {
  const g = new Graph('check');
  g.output(g.node('Identity', [g.input('x', [1])], [1]), 'y');
  await (await createSession(encodeModel(g), 1, device)).release();
}

let probed: Promise<number> | null = null;

/**
 * Channels per block of this machine's convolutions: 16 with AVX-512, 8 with AVX2, and 1, which is plain NCHW, if ONNX
 * Runtime has no blocked kernels. Measured once, by blocking an image of two pixels and finding the position of the
 * second one.
 */
export function imageBlock(): Promise<number> {
  probed ??= probe();
  return probed;
}

async function probe(): Promise<number> {
  const g = new Graph('probe');
  const shape = [1, channels, 1, 2];
  const attributes = { channels_last: 0 };
  const x = g.input('x', shape);
  g.output(g.node('ReorderInput', [x], shape, { attributes, domain: 'com.microsoft.nchwc' }), 'y');
  const session = await createSession(encodeModel(g), 1).catch(() => null); // no such kernel: no blocks
  if (session === null) return 1;
  try {
    const data = Float32Array.from({ length: channels * 2 }, (_, i) => i % 2); // each channel's second pixel is 1
    const { y } = await session.run({ x: { dtype: 'float32', shape, data } });
    const block = y?.data instanceof Float32Array ? y.data.indexOf(1) : 1;
    return Math.max(1, block);
  } finally {
    await session.release();
  }
}
