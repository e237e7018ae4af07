import { BadData } from '../errors/errors.ts';

/** Rows of a source that were skipped because they could not be used. */
export interface Skipped {
  rows: number;
  /** The error of the first of them. */
  example: string | null;
}

export interface BadRowRule {
  onBadRow: 'error' | 'skip';
  /** Updated with each skipped row. */
  skipped: Skipped;
}

/** Of a row's name in messages: a key may be a long text. */
export const MAX_NAME_CHARS = 200;

/**
 * Skips a row that cannot be used, or ends the study with its error; `name` identifies the row. Rethrows other errors.
 */
export function skipRow({ name, error }: { name: string; error: unknown }, { onBadRow, skipped }: BadRowRule): void {
  if (!(error instanceof BadData)) throw error;
  const { message, detail, hint } = error;
  const named = `${name.slice(0, MAX_NAME_CHARS)}: ${detail ?? message}`;
  if (onBadRow === 'error') {
    throw new BadData(message, {
      detail: named,
      hint: `${hint ?? 'Correct the row.'} Or train with on_bad_row => 'skip', which leaves such rows out.`,
      cause: error,
    });
  }
  skipped.rows++;
  skipped.example ??= named;
}
