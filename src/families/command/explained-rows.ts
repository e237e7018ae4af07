import { spread } from '../../domain/ensembles/panel.ts';
import { TableRow } from '../../domain/table.ts';
import type { RawInput } from '../../domain/task.ts';
import type { ExplanationData } from '../../domain/training.ts';
import { keepRows } from '../../features/columns/kept-rows.ts';
import { trainingRowsOf } from '../../features/columns/table-rows.ts';

/** Training rows that are kept with a model, as with a network of columns: explanations take from them what is not known of a row. */
const KEPT_ROWS = 32;

/** Undefined for texts and images, whose explanations need none. */
export function explainedRows(inputs: readonly RawInput[]): ExplanationData | undefined {
  if (!(inputs[0] instanceof TableRow)) return undefined;
  const some = Array.from(spread(inputs.length, KEPT_ROWS), (i) => inputs[i] as RawInput);
  return { kind: 'rows', columns: keepRows(trainingRowsOf(some)) };
}
