import { MAX_SPEC_BYTES } from '../../domain/import-limits.ts';
import { detectionSize, MAX_DETECTIONS } from '../../domain/kinds/detection.ts';
import { MAX_TABLE_COLUMNS } from '../../domain/table.ts';
import type { OutputKind } from '../../domain/task.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import { readReport } from '../../errors/reported.ts';
import type { AnswerBounds } from '../../runtime/frames/order-channel.ts';
import type { MemberOutput } from '../devices/device.ts';
import { EXPLANATION_HEAD } from '../explanations/explanation-order.ts';
import type { Subset } from '../policies/policy.ts';

/** What the process of an owner may answer to an order: its word is not taken, since a graph may have taken the process over. */
export interface ExpectedAnswer {
  /** One for each of the members, or of the explanations. */
  outputs: number;
  /** Of an output. */
  maxNumbers: number;
  fits(numbers: number): boolean;
  /** Whether a typical input may come with it. */
  hasSample?: boolean;
}

/** What a model answers with. */
export interface AnswerForm {
  kind: OutputKind;
  classes: number;
}

export interface OwnerAnswer {
  outputs: MemberOutput[];
  sample?: string;
}

/** Of an error, or of the JSON around outputs. */
const WORD_BYTES = 2 ** 17;
/** Long texts of an error. */
const WORDS = 4;
const NUMBER_BYTES = Float32Array.BYTES_PER_ELEMENT;
/** A typical input is made of an example in the specification. */
const MAX_SAMPLE_BYTES = MAX_SPEC_BYTES;

export const noOutput: ExpectedAnswer = { outputs: 0, maxNumbers: 0, fits: () => false };
export const sampleOnly: ExpectedAnswer = { ...noOutput, hasSample: true };

/** Of each member of the subset, for so many rows. */
export function answersOfMembers({ kind, classes }: AnswerForm, subset: Subset, rows: number): ExpectedAnswer {
  const outputs = subset.toString(2).replaceAll('0', '').length;
  const isBoxes = kind === 'boxes';
  const numbers = rows * (isBoxes ? detectionSize : kind === 'number' ? 1 : classes);
  return isBoxes
    ? { outputs, maxNumbers: numbers * MAX_DETECTIONS, fits: (given) => given % numbers === 0 }
    : { outputs, maxNumbers: numbers, fits: (given) => given === numbers };
}

/** Of each order of an explanation, whose parts are columns, or else words, of which a text has fewer than characters. */
export const explanationsOf = (orders: readonly string[]): ExpectedAnswer => ({
  outputs: orders.length,
  maxNumbers: orders.reduce((most, { length }) => Math.max(most, length), EXPLANATION_HEAD + MAX_TABLE_COLUMNS),
  fits: (numbers) => numbers >= EXPLANATION_HEAD,
});

/** Outputs and a sample, or the texts of an error. */
export const answerBounds = ({ outputs, maxNumbers, hasSample }: ExpectedAnswer): AnswerBounds => ({
  maxBytes: WORD_BYTES + NUMBER_BYTES * outputs * maxNumbers + (hasSample === true ? MAX_SAMPLE_BYTES : 0),
  jsonBytes: WORD_BYTES,
  parts: outputs + WORDS,
});

/** An answer, or the error of the order. Throws for what is neither. */
export function readAnswer(answer: unknown, expected: ExpectedAnswer): OwnerAnswer | { error: ErrorReport } {
  const given: { ok?: unknown; outputs?: unknown; sample?: unknown; error?: unknown } = Object(answer);
  if (given.ok !== true) {
    const error = readReport(given.error);
    if (error === undefined) throw new TypeError('it answered with something else than outputs or an error');
    return { error };
  }
  const { outputs, sample } = given;
  const found = Array.isArray(outputs) ? outputs.filter((output) => output instanceof Float32Array) : [];
  if (!Array.isArray(outputs) || outputs.length !== expected.outputs || found.length !== outputs.length)
    throw new TypeError('it answered with something else than an output of each member');
  for (const { length } of found)
    if (length > expected.maxNumbers || !expected.fits(length))
      throw new RangeError(`it answered with an output of ${length} numbers, which the batch does not have`);
  if (sample === undefined) return { outputs: found };
  if (typeof sample !== 'string' || expected.hasSample !== true)
    throw new TypeError('it answered with a sample of no use');
  return { outputs: found, sample };
}
