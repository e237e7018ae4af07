import type { Fill } from '../db/statements/attachments.ts';
import { BadData } from '../errors/errors.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';

/** The result of one call for the rows that it examined. */
export interface FillOutcome extends Fill {
  /** Rows that are locked, or for which there was no time. */
  left: number;
  /** Where the next call continues; null at the end. */
  place: string | null;
  /** The error that prevented filling. */
  error: ErrorReport | null;
}

/** Limits of what one call may report. */
const MAX_ROWS = 1_000;
const MAX_CHARS = 1_000;

/** Parses the result of the owner's function, which the owner may have replaced: values are checked and bounded. */
export function readOutcome(text: string | null): FillOutcome {
  const fields = fieldsOf(parse(text));
  const unanswered = Array.isArray(fields['unanswered']) ? fields['unanswered'].slice(0, MAX_ROWS).map(fieldsOf) : [];
  return {
    filled: countOf(fields['filled']) ?? 0,
    left: countOf(fields['left']) ?? 0,
    remaining: countOf(fields['to_come']),
    place: textOf(fields['place'], /^\d{1,10};\d{1,10};\(\d{1,10},\d{1,5}\)$/),
    error: fields['error'] === undefined ? null : errorOf(fields['error']),
    unanswered: unanswered.flatMap(({ place, version, error }) => {
      const [at, of] = [textOf(place, /^\(\d{1,10},\d{1,5}\)$/), textOf(version, /^\d{1,10}$/)];
      return at === null || of === null
        ? []
        : [{ relation: countOf(fields['relation']) ?? 0, place: at, version: of, error: errorOf(error) }];
    }),
  };
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new BadData('the function that fills the table returned an invalid result', {
      detail: text?.slice(0, 100) ?? 'The result is null or too long.',
      hint: 'Attach the model again: rafiki_attach.',
    });
  }
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const countOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 2 ** 32 ? value : null;

const textOf = (value: unknown, shape = /^[^\0]*$/s): string | null =>
  typeof value === 'string' && value.length <= MAX_CHARS && shape.test(value) ? value : null;

function errorOf(value: unknown): ErrorReport {
  const { sqlstate, message, detail, hint } = fieldsOf(value);
  const [details, hints] = [textOf(detail), textOf(hint)];
  return {
    sqlstate: textOf(sqlstate, /^[0-9A-Z]{5}$/) ?? 'XX000',
    message: textOf(message) ?? 'unknown error',
    ...(details === null ? {} : { detail: details }),
    ...(hints === null ? {} : { hint: hints }),
  };
}
