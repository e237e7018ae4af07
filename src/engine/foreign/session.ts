import * as ort from 'onnxruntime-node';
import { sessionOptions } from '../session.ts';

/** Element types that foreign graphs read and write here. */
export const foreignTypes = ['float32', 'float64', 'int32', 'int64', 'uint8', 'bool', 'string'] as const;
export type ForeignType = (typeof foreignTypes)[number];

/** A tensor of any of these types; texts are strings. */
export interface ForeignTensor {
  type: ForeignType;
  /** Row-major. */
  shape: readonly number[];
  data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | string[];
}

/** A graph of somebody else. It must be loaded in a process that may be killed: loading and running may never end, or take all memory. */
export interface ForeignSession {
  /** The named outputs. Throws ONNX Runtime's errors. */
  run(feeds: Readonly<Record<string, ForeignTensor>>, outputs: readonly string[]): Promise<ForeignTensor[]>;
  release(): Promise<void>;
}

/** Compiles it for the CPU. Throws ONNX Runtime's errors. */
export async function openForeign(onnx: Uint8Array, threads: number): Promise<ForeignSession> {
  const session = await ort.InferenceSession.create(
    onnx,
    { ...sessionOptions({ threads, device: 'cpu', planned: false, longLived: true }), logSeverityLevel: 4 }, // errors are thrown
  );
  return {
    async run(feeds, outputs) {
      const tensors: Record<string, ort.Tensor> = {};
      for (const [name, { type, data, shape }] of Object.entries(feeds))
        tensors[name] = new ort.Tensor(type as 'float32', data as Float32Array, shape);
      const results = await session.run(tensors, outputs);
      return outputs.map((name) => {
        const { type, dims, data } = results[name] as ort.Tensor;
        return { type: type as ForeignType, shape: [...dims], data: data as ForeignTensor['data'] };
      });
    },
    release: () => session.release(),
  };
}
