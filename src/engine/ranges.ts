import type { GraphParts } from '../graph/graph.ts';
import { rangeOutput, withRangeOutputs } from '../graph/int8/calibration.ts';
import type { Ranges, ValueRange } from '../graph/int8/quantise.ts';
import { encodeModel } from '../graph/onnx.ts';
import type { EvaluationRows } from './evaluate.ts';
import { createSession } from './session.ts';

/** Few rows per call, because all values of a network are kept. */
const rowsPerCall = 32;

/** The ranges of the named values of the graph over the given rows. */
export async function rangesOf(
  graph: GraphParts,
  names: readonly string[],
  { rows, threads }: { rows: EvaluationRows; threads: number },
): Promise<Ranges> {
  const session = await createSession(encodeModel(withRangeOutputs(graph, names)), threads);
  const ranges = new Map<string, ValueRange>();
  try {
    for (let start = 0; start < rows.count; start += rowsPerCall) {
      const count = Math.min(rowsPerCall, rows.count - start);
      const extremes = await session.run(rows.batch(Int32Array.from({ length: count }, (_, i) => start + i)));
      for (const name of names) {
        const { low, high } = ranges.get(name) ?? { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY };
        const extreme = (side: 'low' | 'high'): number => Number(extremes[rangeOutput(name, side)]?.data[0]);
        ranges.set(name, { low: Math.min(low, extreme('low')), high: Math.max(high, extreme('high')) });
      }
    }
    return ranges;
  } finally {
    await session.release();
  }
}
