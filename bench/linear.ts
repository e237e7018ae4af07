import type { DataSet, Examples } from '../src/domain/task.ts';
import type { Figure } from './figure.ts';
import { columnFigures } from './linear/columns.ts';
import { foldScores, meanOf } from './linear/recipe.ts';
import { solverFigures } from './linear/solver.ts';
import { dataSets, readDataSet } from './zoo/data.ts';

/** Targets, set beforehand: what TF-IDF of n-grams of one and two words with a linear SVM reached elsewhere, on other test rows; as shares. */
const bars = { mr: 0.779, trec: 0.874 } as const;

/** Linear models of texts: the solver and the accuracy of five folds; and the words of a text as a column beside others. */
export async function* linearBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  for (const name of ['mr', 'trec'] as const) {
    yield* solverFigures(name);
    if (quick) continue;
    const data = readDataSet(name);
    const recipe = { task: dataSets[name].task, family: 'linear_text' } as const;
    const value = meanOf(await foldScores(recipe, joined(data), data.classes));
    yield { bench: 'linear', name: `${name}-folds`, value, unit: 'accuracy', bar: bars[name], ok: value >= bars[name] };
  }
  yield* columnFigures(quick);
}

const joined = ({ train, valid }: DataSet): Examples => ({
  inputs: [...train.inputs, ...valid.inputs],
  labels: Int32Array.from([...(train.labels as Int32Array), ...(valid.labels as Int32Array)]),
});
