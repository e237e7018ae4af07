import type { InputKind } from '../domain/task.ts';
import { InvalidParameter, ProtocolViolation, RequestTooLarge } from '../errors/errors.ts';
import type { OnOverdue, Terms } from '../serving/session/predict-request.ts';
import { parseDurationMs } from './duration.ts';

export const SEPARATOR = '\x1f';

/** Those that state a key; in lower case they ask the same of images, which come in base64. */
const verbs = ['P', 'N', 'A', 'D', 'B', 'V'] as const;
export type Verb = (typeof verbs)[number];

export function verbOf(request: string): Verb {
  const letter = request.slice(0, 1).toUpperCase();
  const verb = request[1] === SEPARATOR ? verbs.find((each) => each === letter) : undefined;
  if (verb !== undefined) return verb;
  throw new ProtocolViolation('the bridge takes prediction requests only, never SQL', {
    detail: `got "${request.slice(0, 40)}"`,
  });
}

export const inputOf = (request: string): InputKind => (request < 'a' ? 'text' : 'image');

const MB = 2 ** 20;
/** A text has 8,000,000 bytes at most, and a part of an array as many: rafiki._exchange() and rafiki._predict_many(). */
const MOST_TEXT_BYTES = 8 * MB;
/** An image of 32 MiB in base64, as JSON, and the part of an array before it: rafiki._image_text() and rafiki_predict(). */
const MOST_IMAGE_BYTES = 48 * MB;

/** Whether a request may be so long. */
export function checkSize(request: string, bytes: number): void {
  const most = inputOf(request) === 'image' ? MOST_IMAGE_BYTES : MOST_TEXT_BYTES;
  if (bytes <= most) return;
  throw new RequestTooLarge('a prediction asks too much at once', {
    detail: `The request has ${(bytes / MB).toFixed(1)} MiB (${bytes} bytes); ${most / MB} MiB (${most} bytes) are the most.`,
    hint: 'Give shorter inputs, or an array in parts.',
  });
}

/** The fields between a verb and its last one, which takes the rest. */
const asked = ['key', 'role', 'budget', 'on_overdue'] as const;
const scanned = [...asked, 'statement'] as const;
const layouts = { P: scanned, N: scanned, A: asked, D: asked, B: asked, V: ['key', 'role', 'place'] } as const;

/** The most characters of those that no user types; the others are judged where they are read. */
const mostChars: Readonly<Record<string, number>> = { key: 64, role: 256, place: 256 };

/** The key of a request, which is looked at before anything else. */
export const keyOf = (request: string): string => field(request, 'key', 2);

/** All fields that follow the verb. */
export function fieldsOf(verb: Verb, request: string): string[] {
  const fields: string[] = [];
  let at = 2;
  for (const name of layouts[verb]) {
    const value = field(request, name, at);
    fields.push(value);
    at += value.length + 1;
  }
  fields.push(request.slice(at));
  return fields;
}

function field(request: string, name: string, from: number): string {
  const end = request.indexOf(SEPARATOR, from);
  const most = mostChars[name];
  if (end >= 0 && (most === undefined || end - from <= most)) return request.slice(from, end);
  throw new ProtocolViolation(`a request has no ${name}, or one that is too long`, {
    detail: `verb ${request.slice(0, 1)}${most === undefined ? '' : `, at most ${most} characters`}`,
  });
}

const onOverdueValues: readonly string[] = ['answer', 'error', 'null'] satisfies OnOverdue[];
const isOnOverdue = (value: string): value is OnOverdue => onOverdueValues.includes(value);
const MOST_SETTING_CHARS = 16;

/** What users set as rafiki.latency_budget and rafiki.on_overdue. */
export function termsOf(budget: string, onOverdue: string): Terms {
  const chosen = onOverdue === '' ? 'answer' : onOverdue.slice(0, MOST_SETTING_CHARS + 1).toLowerCase();
  if (!isOnOverdue(chosen)) {
    throw new InvalidParameter('rafiki.on_overdue has a value that is not known', {
      detail: `got "${onOverdue.slice(0, 100)}"`,
      hint: `Use one of ${onOverdueValues.join(', ')}.`,
    });
  }
  return { budgetMs: budget === '' ? null : parseDurationMs(budget), onOverdue: chosen };
}
