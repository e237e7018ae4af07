import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataSet } from '../../src/domain/task.ts';
import { textsOf } from '../../src/features/encoder.ts';
import { fitWeightedNgrams, WeightedNgrams } from '../../src/features/weighted/weighted-ngrams.ts';
import { type ClassLoss, classLoss } from '../../src/linear/losses.ts';
import { LinearFit } from '../../src/linear/newton.ts';
import { multiply, type SparseRows } from '../../src/linear/sparse-rows.ts';
import type { Figure } from '../figure.ts';
import { PythonProcess } from '../python-process.ts';
import { type DataName, readDataSet } from '../zoo/data.ts';

const options = {
  ...{ words: 2, characters: 5, characterNorm: 1, maxTokens: 512 },
  ...{ minTexts: 2, maxColumns: 200_000, maxEntries: 100_000 },
};
const MAX_ITERATIONS = 200;
const EXACT = 1e-5;
/** Of the largest score: scikit-learn's solutions are as exact. */
const BAR = 0.005;

/** The solver on the rows of real texts, compared with scikit-learn's on the same rows: largest difference of validation scores, and CPU time. */
export async function* solverFigures(name: DataName): AsyncIterable<Figure> {
  const { rows, valid, columns, data } = rowsOf(name);
  const python = await PythonProcess.start(fileURLToPath(new URL('./peer.py', import.meta.url)));
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    writeRows(dir, 'train', rows);
    writeRows(dir, 'valid', valid);
    writeFileSync(path.join(dir, 'train-labels'), data.train.labels as Int32Array);
    for (const [loss, c] of [
      ['logistic', 4],
      ['squared_hinge', 0.25],
    ] as const) {
      const before = process.cpuUsage();
      const scores = scoresOf({ rows, valid, columns, data, loss, c });
      const { user, system } = process.cpuUsage(before);
      const seconds = (user + system) / 1e6;
      const figure = { bench: 'linear', name: `${name}-${loss}`, value: seconds, unit: 's', peer: 'scikit-learn' };
      if (python === null) {
        yield { ...figure, peerValue: null, ok: null, note: 'no scikit-learn: apt-get install python3-sklearn' };
        continue;
      }
      const theirs = JSON.parse(await python.ask(JSON.stringify({ dir, columns, loss, c }))) as PeerScores;
      yield { ...figure, peerValue: theirs.seconds, ratio: seconds / theirs.seconds, ok: null };
      const scale = Math.max(...theirs.scores.map(Math.abs));
      const value = Math.max(...theirs.scores.map((score, i) => Math.abs(score - (scores[i] as number)) / scale));
      yield { bench: 'linear', name: `${name}-${loss}-apart`, value, unit: 'share', bar: BAR, ok: value <= BAR };
    }
  } finally {
    python?.stop();
    rmSync(dir, { recursive: true });
  }
}

interface PeerScores {
  scores: number[];
  seconds: number;
}

function rowsOf(name: DataName) {
  const data = readDataSet(name);
  const texts = textsOf(data.train.inputs);
  const ngrams = new WeightedNgrams(fitWeightedNgrams(texts, options));
  return { data, columns: ngrams.columns, rows: ngrams.rows(texts), valid: ngrams.rows(textsOf(data.valid.inputs)) };
}

interface SolvedProblem {
  rows: SparseRows;
  valid: SparseRows;
  columns: number;
  data: DataSet;
  loss: ClassLoss;
  c: number;
}

function scoresOf({ rows, valid, columns, data, loss, c }: SolvedProblem): Float64Array {
  const targets = { values: data.train.labels as Int32Array };
  const fit = new LinearFit({ rows, columns, loss: classLoss(loss, targets, data.classes.length) });
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const passes = fit.iterate(c, EXACT);
    let pass = passes.next();
    while (!pass.done) pass = passes.next();
    if (pass.value) break;
  }
  const { width } = fit.problem.loss;
  const scores = new Float64Array(valid.count * width);
  multiply(valid, fit.w, width, scores);
  return scores;
}

function writeRows(dir: string, part: string, { offsets, ids, weights }: SparseRows): void {
  for (const [name, values] of Object.entries({ offsets, ids, weights }))
    writeFileSync(path.join(dir, `${part}-${name}`), values);
}
