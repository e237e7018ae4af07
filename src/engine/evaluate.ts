import type { TensorData } from '../domain/tensor.ts';
import { loadModel } from './inference.ts';

/** Rows per call: enough for full speed, few enough that long texts stay within tens of MB. */
const rowsPerCall = 64;

export interface EvaluationRows {
  count: number;
  batch(indexes: Int32Array): Record<string, TensorData>;
}

/** The outputs of an exported model for each row, [rows, …], float32. Runs the same file that is deployed. */
export async function answerAll(onnx: Uint8Array, rows: EvaluationRows, threads: number): Promise<TensorData> {
  const model = await loadModel(onnx, { threads });
  try {
    let all: { data: Float32Array; shape: number[] } | null = null;
    for (let start = 0; start < rows.count; start += rowsPerCall) {
      const indexes = Int32Array.from({ length: Math.min(rowsPerCall, rows.count - start) }, (_, i) => start + i);
      const { data, shape } = await model.run(rows.batch(indexes));
      const size = data.length / indexes.length;
      all ??= { data: new Float32Array(rows.count * size), shape: [rows.count, ...shape.slice(1)] };
      all.data.set(data as Float32Array, start * size);
    }
    return { dtype: 'float32', ...(all ?? { data: new Float32Array(0), shape: [0] }) };
  } finally {
    await model.release();
  }
}
