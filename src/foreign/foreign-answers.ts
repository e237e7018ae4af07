import type { ForeignTensor } from '../engine/foreign/session.ts';
import { BadData } from '../errors/errors.ts';
import type { OutputKindOf } from './plan.ts';

/** What the answers of a graph are made into: probabilities of classes, [rows, classes], or numbers, [rows, 1]. */
export interface AnswerShape {
  kind: OutputKindOf;
  /** Empty for numbers. */
  classes: readonly string[];
  rows: number;
}

/** Throws BadData for an output that is not of this shape, or has numbers that are not finite. */
export function foreignAnswers(tensor: ForeignTensor, { kind, classes, rows }: AnswerShape): Float32Array {
  if (kind === 'labels') return oneHot(tensor, classes, rows);
  if (tensor.type === 'string') throw unlike('texts', 'numbers');
  const values = Float64Array.from(tensor.data as Float32Array, Number);
  if (!values.every(Number.isFinite)) throw notFinite();
  if (kind === 'numbers') return Float32Array.from(sized(values, rows, 1));
  const width = values.length / Math.max(1, rows);
  // one number for two classes is that of the second
  const scores = width === 1 && classes.length === 2 ? pairs(values, kind) : sized(values, rows, classes.length);
  return Float32Array.from(kind === 'logits' && width > 1 ? softmax(scores, classes.length) : scores);
}

function sized(values: Float64Array, rows: number, width: number): Float64Array {
  if (values.length === rows * width) return values;
  throw unlike(`${values.length / Math.max(1, rows)} numbers for a row`, String(width));
}

const pairs = (values: Float64Array, kind: OutputKindOf): Float64Array =>
  Float64Array.from({ length: 2 * values.length }, (_, i) => {
    const value = values[i >> 1] as number;
    const share = kind === 'logits' ? 1 / (1 + Math.exp(-value)) : value;
    return i % 2 === 0 ? 1 - share : share;
  });

function softmax(scores: Float64Array, classes: number): Float64Array {
  const shares = new Float64Array(scores.length);
  for (let from = 0; from < scores.length; from += classes) {
    const row = scores.subarray(from, from + classes);
    const most = row.reduce((largest, score) => Math.max(largest, score), Number.NEGATIVE_INFINITY);
    const powers = row.map((score) => Math.exp(score - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    shares.set(
      powers.map((power) => power / sum),
      from,
    );
  }
  return shares;
}

/** Labels are texts, or numbers of classes: as the classes are named, or else by their places. */
function oneHot({ data }: ForeignTensor, classes: readonly string[], rows: number): Float32Array {
  if (data.length !== rows) throw unlike(`${data.length} labels for ${rows} rows`, 'a label for each row');
  const shares = new Float32Array(rows * classes.length);
  const labels = Array.from(data as ArrayLike<unknown>, String);
  for (const [row, label] of labels.entries()) {
    const named = classes.indexOf(label);
    const place = named >= 0 ? named : typeof data[row] === 'string' ? -1 : Number(label);
    if (!(place >= 0 && place < classes.length)) throw unknownLabel(label);
    shares[row * classes.length + place] = 1;
  }
  return shares;
}

const unknownLabel = (label: string): BadData =>
  new BadData(`the model answers with a class that it is not known to have: "${label.slice(0, 60)}"`, {
    hint: 'Import it again with all its "classes" in spec.',
  });

const unlike = (given: string, expected: string): BadData =>
  new BadData('the model answers with something else than when it was imported', {
    detail: `It answers with ${given}, and not with ${expected}.`,
    hint: 'Import it again with "output" and "output_kind" in spec.',
  });

const notFinite = (): BadData =>
  new BadData('the model answers with numbers that are not finite', {
    hint: 'Check that the input has no NULL that the model cannot take: "missing" in spec gives a number in its place.',
  });
