import type { ExplanationData } from '../domain/training.ts';
import { elementsOf } from '../features/columns/list.ts';

/** The first of the rows that are kept for explanations, as an input; undefined if there are none. */
export const sampleRow = (explaining: ExplanationData | undefined): string | undefined =>
  explaining?.kind === 'rows'
    ? JSON.stringify(
        Object.fromEntries(explaining.columns.map(({ name, kind, values }) => [name, cellOf(kind, values[0])])),
      )
    : undefined;

/** As it was read: arrays are kept as texts, and true as 1. */
function cellOf(kind: string, value: number | string | null | undefined): unknown {
  if (kind === 'list' && typeof value === 'string') return elementsOf(value).map(elementCell);
  return kind === 'boolean' ? value === 1 : (value ?? null);
}

/** NaN is null; JSON has no infinity, so `to_json` writes it as a text. */
function elementCell(element: number): number | string | null {
  if (Number.isNaN(element)) return null;
  return Number.isFinite(element) ? element : String(element);
}
