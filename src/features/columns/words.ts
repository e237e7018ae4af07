import { type ColumnValues, textValuesOf } from '../../domain/table.ts';
import { classLoss, numberLoss, type RowTargets, type ScoreLoss } from '../../linear/losses.ts';
import { LinearFit } from '../../linear/newton.ts';
import { multiply, type SparseRows, someRows } from '../../linear/sparse-rows.ts';
import { float32Bytes, readFloat32s, readInteger, unfit } from '../state.ts';
import { fitWeightedNgrams, WeightedNgrams } from '../weighted/weighted-ngrams.ts';
import { type ColumnFeature, type ColumnState, isColumnState } from './column-kind.ts';
import { type ColumnTargets, FOLDS } from './column-targets.ts';
import { rememberLast } from './remember-last.ts';

/** Characters of all texts that are read to fit; of more texts some are left out, evenly. */
const MAX_CHARACTERS = 8_000_000;
const MAX_TOKENS = 256;
const WORD_CHARACTERS = 6;
const MAX_NGRAMS = 50_000;
const FEW_TEXTS = 1000;
/** A text's weights are normalised, so that the same regularisation suits most columns; the best of these is chosen. */
const CANDIDATES = [0.25, 1, 4, 16];
const MAX_ITERATIONS = 20;
const TOLERANCE = 0.01;
/** Texts whose scores are computed at once: their n-grams are some MB. */
const AT_ONCE = 4096;

/**
 * Words of a longer text as few numbers: the scores of a linear model of its n-grams, which has learnt the target from this column alone (stacking,
 * Wolpert 1992). So trees, which split one column after the other, have the words of a text as one column for each class.
 */
export function fitWords(column: ColumnValues, rows: Int32Array, targets: ColumnTargets): ColumnState {
  const given = labelled(column, rows, targets);
  const state = fitWeightedNgrams(given.texts, {
    ...{ words: 2, characters: 4, characterNorm: 1, maxTokens: MAX_TOKENS, maxEntries: MAX_TOKENS * 16 },
    ...{ minTexts: given.texts.length < FEW_TEXTS ? 1 : 2, maxColumns: MAX_NGRAMS },
  });
  const ngrams = new WeightedNgrams(state);
  const sparse = ngrams.rows(given.texts);
  const { columns } = ngrams;
  const c = bestOf(sparse, columns, given);
  const { w, width } = fitted(sparse, columns, given, c);
  return { ngrams: state, width, c, w: float32Bytes(w) };
}

/** Texts with what is learnt of them. */
interface LabelledTexts {
  texts: string[];
  targets: ColumnTargets;
}

/** The rows that have a text, as many as are read, evenly spread. */
function labelled(column: ColumnValues, rows: Int32Array, targets: ColumnTargets): LabelledTexts {
  const { codes, texts } = textValuesOf(column);
  const textOf = (i: number): string | undefined => texts[codes[rows[i] as number] as number];
  const present = Int32Array.from(rows.keys()).filter((i) => textOf(i) !== undefined);
  const longest = MAX_TOKENS * WORD_CHARACTERS;
  const characters = present.reduce((sum, i) => sum + Math.min(longest, textOf(i)?.length ?? 0), 0);
  const share = Math.min(1, MAX_CHARACTERS / Math.max(1, characters));
  const read = present.filter((_, n) => Math.floor((n + 1) * share) > Math.floor(n * share));
  return {
    texts: Array.from(read, (i) => textOf(i) as string),
    targets: {
      groups: targets.groups,
      values: valuesAt(targets.values, read),
      folds: Uint8Array.from(read, (i) => targets.folds[i] as number),
    },
  };
}

const valuesAt = (values: RowTargets['values'], places: Int32Array): RowTargets['values'] =>
  values instanceof Int32Array
    ? places.map((i) => values[i] as number)
    : Float64Array.from(places, (i) => values[i] as number);

const lossOf = ({ groups }: ColumnTargets, values: RowTargets['values']): ScoreLoss =>
  groups === 0 ? numberLoss('squared_error', { values }) : classLoss('logistic', { values }, groups);

interface WordWeights {
  /** [columns, width] */
  w: Float32Array;
  width: number;
}

function solve(fit: LinearFit, c: number): void {
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const passes = fit.iterate(c, TOLERANCE);
    let pass = passes.next();
    while (!pass.done) pass = passes.next();
    if (pass.value) return;
  }
}

function fitted(rows: SparseRows, columns: number, { targets }: LabelledTexts, c: number): WordWeights {
  const fit = new LinearFit({ rows, columns, loss: lossOf(targets, targets.values) });
  solve(fit, c);
  return { w: fit.w, width: fit.problem.loss.width };
}

/** Rows of all folds but one, and of that one. */
function divided(rows: SparseRows, { groups, values, folds }: ColumnTargets, fold: number) {
  const part = (keeps: (row: number) => boolean) => {
    const { rows: own, numbers } = someRows(rows, keeps);
    return { rows: own, values: valuesAt(values, numbers), groups };
  };
  return { others: part((row) => folds[row] !== fold), own: part((row) => folds[row] === fold) };
}

/** The candidate with the smallest loss of one fold, where the others are learnt from. */
function bestOf(rows: SparseRows, columns: number, { targets }: LabelledTexts): number {
  const { others, own } = divided(rows, targets, 0);
  const fit = new LinearFit({ rows: others.rows, columns, loss: lossOf(targets, others.values) });
  const loss = lossOf(targets, own.values);
  const scores = new Float64Array(own.rows.count * loss.width);
  const losses = CANDIDATES.map((c) => {
    solve(fit, c);
    multiply(own.rows, fit.w, loss.width, scores);
    return loss.value(scores);
  });
  return CANDIDATES[losses.indexOf(Math.min(...losses))] ?? 1;
}

/** Scores [texts, width]. */
function scoresOf(ngrams: WeightedNgrams, { w, width }: WordWeights, texts: readonly string[]): Float32Array {
  const all = new Float32Array(texts.length * width);
  for (let start = 0; start < texts.length; start += AT_ONCE) {
    const rows = ngrams.rows(texts.slice(start, start + AT_ONCE));
    const scores = new Float64Array(rows.count * width);
    multiply(rows, w, width, scores);
    all.set(scores, start * width);
  }
  return all;
}

export function wordsOf(state: ColumnState): ColumnFeature[] {
  const { ngrams: grams, c } = state;
  if (!isColumnState(grams) || typeof c !== 'number') throw unfit('ngrams', 'fitted n-grams');
  const ngrams = new WeightedNgrams(grams);
  const weights = { w: readFloat32s(state, 'w'), width: readInteger(state, 'width') };
  const scores = rememberLast((texts: readonly string[]) => scoresOf(ngrams, weights, texts));
  /** Of the rows that are trained on: computed once for all scores. */
  const ofTargets = new WeakMap<ColumnTargets, Float32Array>();
  const { width } = weights;
  return Array.from({ length: width }, (_, k) => ({
    part: width === 1 ? 'words' : `words ${k + 1}`,
    categories: 0,
    values(column, rows) {
      const { codes, texts } = textValuesOf(column);
      const all = scores(texts);
      return Float32Array.from(rows, (row) => all[(codes[row] as number) * width + k] ?? Number.NaN);
    },
    trainingValues(column, rows, targets) {
      const all = ofTargets.get(targets) ?? othersScores({ ngrams, c, width }, { column, rows, targets });
      ofTargets.set(targets, all);
      return Float32Array.from(rows, (_, i) => all[i * width + k] as number);
    },
  }));
}

/** The scores of each row, [rows, width], as models of the rows in the other folds give them. */
function othersScores(
  { ngrams, c, width }: { ngrams: WeightedNgrams; c: number; width: number },
  { column, rows, targets }: { column: ColumnValues; rows: Int32Array; targets: ColumnTargets },
): Float32Array {
  const given = labelled(column, rows, targets);
  const sparse = ngrams.rows(given.texts);
  const { columns } = ngrams;
  const { codes, texts } = textValuesOf(column);
  const all = new Float32Array(rows.length * width).fill(Number.NaN);
  for (let fold = 0; fold < FOLDS; fold++) {
    const { others } = divided(sparse, given.targets, fold);
    const fit = new LinearFit({ rows: others.rows, columns, loss: lossOf(targets, others.values) });
    solve(fit, c);
    const own = Array.from(rows.keys()).filter(
      (i) => targets.folds[i] === fold && (codes[rows[i] as number] as number) >= 0,
    );
    const scores = scoresOf(
      ngrams,
      { w: fit.w, width },
      own.map((i) => texts[codes[rows[i] as number] as number] as string),
    );
    for (const [n, i] of own.entries()) all.set(scores.subarray(n * width, (n + 1) * width), i * width);
  }
  return all;
}
