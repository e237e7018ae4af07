import type { Fill } from '../db/statements/attachments.ts';
import { BadData } from '../errors/errors.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';

/** What became of the rows that a call looked at. */
export interface FillOutcome extends Fill {
  /** Rows that others hold, or that there was no time for. */
  left: number;
  /** Where to go on; null at the end. */
  place: string | null;
  /** What kept it from filling any. */
  error: ErrorReport | null;
}

/** As many as a call tells of. */
const MAX_ROWS = 1_000;
const MAX_CHARS = 1_000;

/** Reads what the function of a table's owner said, who may have put anything in its place: no more is believed than does no harm. */
export function readOutcome(text: string | null): FillOutcome {
  const said = fieldsOf(parse(text));
  const unanswered = Array.isArray(said['unanswered']) ? said['unanswered'].slice(0, MAX_ROWS).map(fieldsOf) : [];
  return {
    filled: countOf(said['filled']) ?? 0,
    left: countOf(said['left']) ?? 0,
    toCome: countOf(said['to_come']),
    place: textOf(said['place'], /^\d{1,10};\(\d{1,10},\d{1,5}\)$/),
    error: said['error'] === undefined ? null : errorOf(said['error']),
    unanswered: unanswered.flatMap(({ place, version, error }) => {
      const [at, of] = [textOf(place, /^\(\d{1,10},\d{1,5}\)$/), textOf(version, /^\d{1,10}$/)];
      return at === null || of === null
        ? []
        : [{ relation: countOf(said['relation']) ?? 0, place: at, version: of, error: errorOf(error) }];
    }),
  };
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new BadData('the function that fills the table did not say what it has done', {
      detail: text?.slice(0, 100) ?? 'It said nothing, or more than the coordinator reads.',
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
