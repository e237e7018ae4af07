import { createHash } from 'node:crypto';
import * as ort from 'onnxruntime-node';
import type { TensorData } from '../domain/tensor.ts';
import { EnvironmentUnfit } from '../errors/errors.ts';
import { type DeviceName, deviceNeeds } from './device-name.ts';

/**
 * Maximum of idle compiled graphs, kept for the next trial with an equal graph; a session of a text model takes a few MB.
 */
const maxIdle = 4;

const idle = new Map<string, ort.InferenceSession[]>();

/** A compiled graph with one user at a time. */
export interface GraphSession {
  run(feeds: Readonly<Record<string, TensorData>>): Promise<Record<string, TensorData>>;
  release(): Promise<void>;
}

/** One that says the names of its inputs and outputs. */
export interface NamedSession extends GraphSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Compiles a graph, or reuses an equal one that was released before. */
export async function borrowSession(
  model: Uint8Array,
  threads: number,
  device: DeviceName = 'cpu',
): Promise<GraphSession> {
  const key = `${device}:${threads}:${createHash('sha256').update(model).digest('hex')}`;
  const native = idle.get(key)?.pop() ?? (await create(model, { threads, device, planned: false }));
  return wrapSession(native, async () => {
    const count = [...idle.values()].reduce((count, sessions) => count + sessions.length, 0);
    if (count >= maxIdle) return native.release();
    idle.set(key, [...(idle.get(key) ?? []), native]);
  });
}

/** Compiles a graph for a single user. A long-lived session takes neither memory nor CPU between runs. */
export async function createSession(
  model: Uint8Array,
  threads: number,
  device: DeviceName = 'cpu',
  { longLived = false } = {},
): Promise<NamedSession> {
  const native = await create(model, { threads, device, planned: true, longLived });
  return wrapSession(native, () => native.release());
}

/** Frees the idle compiled graphs. */
export async function releaseIdleSessions(): Promise<void> {
  const sessions = [...idle.values()].flat();
  idle.clear();
  for (const session of sessions) await session.release();
}

export interface Compilation {
  threads: number;
  device: DeviceName;
  /**
   * Whether memory is planned for a whole run in advance: faster for small graphs, but an Xception's training step
   * then peaks at 669 MB instead of 441.
   */
  planned: boolean;
  /** Whether it releases the memory of its largest run, and its threads do not spin between runs. */
  longLived?: boolean;
}

async function create(model: Uint8Array, compilation: Compilation): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, sessionOptions(compilation));
  } catch (cause) {
    throw unloadable(compilation.device, cause);
  }
}

/**
 * A graph may name files with its weights, which are looked for here: nothing can be below a device. Other folders cannot be reached from
 * it, and a graph in another format than ONNX's, which would not have been read before, is refused.
 */
const nowhere = '/dev/null/none/';
const onlyItself = { load_model_format: 'ONNX', model_external_initializers_file_folder_path: nowhere };

export const sessionOptions = ({
  threads,
  device,
  planned,
  longLived = false,
}: Compilation): ort.InferenceSession.SessionOptions => ({
  executionProviders: [device], // operators without a kernel for the device run on the CPU
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential', // 'parallel' made weight gradients three times slower
  enableMemPattern: planned,
  enableCpuMemArena: !longLived,
  extra: { session: { ...onlyItself, ...(longLived ? { intra_op: { allow_spinning: '0' } } : {}) } },
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
});

export const unloadable = (device: DeviceName, cause: unknown): EnvironmentUnfit =>
  new EnvironmentUnfit(`ONNX Runtime cannot load a graph on the device "${device}"`, {
    detail: (cause instanceof Error ? cause.message : String(cause)).trim(),
    hint: deviceNeeds[device],
    cause,
  });

function wrapSession(native: ort.InferenceSession, onRelease: () => Promise<void>): NamedSession {
  let released = false;
  return {
    inputs: native.inputNames,
    outputs: native.outputNames,
    async run(feeds) {
      const tensors: Record<string, ort.Tensor> = {};
      for (const name in feeds) tensors[name] = toRuntime(feeds[name] as TensorData);
      const outputs = await native.run(tensors);
      const results: Record<string, TensorData> = {};
      for (const name in outputs) results[name] = fromRuntime(outputs[name] as ort.Tensor);
      return results;
    },
    async release() {
      if (released) return;
      released = true;
      await onRelease();
    },
  };
}

export const toRuntime = ({ dtype, data, shape }: TensorData): ort.Tensor => new ort.Tensor(dtype, data, shape);

export const fromRuntime = (tensor: ort.Tensor): TensorData => ({
  dtype: tensor.type as TensorData['dtype'],
  shape: [...tensor.dims],
  data: tensor.data as TensorData['data'],
});
