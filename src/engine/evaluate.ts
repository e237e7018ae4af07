import { argmax } from '../domain/metrics.ts';
import type { TensorData } from '../domain/tensor.ts';
import { loadModel } from './inference.ts';

/** Rows answered in one call: large enough for full speed, small enough that long texts stay within tens of MB. */
const rowsPerCall = 64;

export interface EvaluationRows {
  count: number;
  batch(indexes: Int32Array): Record<string, TensorData>;
}

/** The class that an exported model gives each row. It runs the very file that is deployed later. */
export async function predictAll(onnx: Uint8Array, rows: EvaluationRows, threads: number): Promise<Uint16Array> {
  const model = await loadModel(onnx, { threads });
  try {
    const predictions = new Uint16Array(rows.count);
    for (let start = 0; start < rows.count; start += rowsPerCall) {
      const indexes = Int32Array.from({ length: Math.min(rowsPerCall, rows.count - start) }, (_, i) => start + i);
      const { data, shape } = await model.run(rows.batch(indexes));
      const classes = shape[1] ?? 1;
      for (let i = 0; i < indexes.length; i++) {
        predictions[start + i] = argmax(data as Float32Array, i * classes, classes);
      }
    }
    return predictions;
  } finally {
    await model.release();
  }
}
