import type { ImageSize } from '../../domain/task.ts';
import { InvalidState } from '../../errors/errors.ts';
import type { AnswerParts } from '../../explain/ensemble.ts';

/** What is to be explained: an input, and the number of a class; −1 is the one that is predicted, or a number. */
interface ExplanationOrder {
  about: number;
  input: string;
}

/** As one text: orders are queued and compared as inputs are, and equal ones are computed once. */
export const writeOrder = ({ about, input }: ExplanationOrder): string => `${about} ${input}`;

export function readOrder(order: string): ExplanationOrder {
  const end = order.indexOf(' ');
  return { about: Number(order.slice(0, end)), input: order.slice(end + 1) };
}

/** Numbers before the parts. */
export const EXPLANATION_HEAD = 5;

/** An explanation as a row of numbers, as threads give them; its size is 0 × 0 if it is not of an image. */
export const packExplanation = ({
  about,
  score,
  base,
  added,
  size,
}: AnswerParts & { size?: ImageSize }): Float32Array =>
  Float32Array.from([about, score, base, size?.width ?? 0, size?.height ?? 0, ...added]);

/** Throws {@link InvalidState} for a row that is no explanation. */
export function unpackExplanation(row: unknown): AnswerParts & { size: ImageSize } {
  if (!(row instanceof Float32Array) || row.length < EXPLANATION_HEAD)
    throw new InvalidState('a thread gave something else than an explanation');
  const [about = -1, score = 0, base = 0, width = 0, height = 0] = row;
  return { about, score, base, added: Float64Array.from(row.subarray(EXPLANATION_HEAD)), size: { width, height } };
}
