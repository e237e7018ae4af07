import { advisorByName } from '../../src/advisors/registry.ts';
import { InvalidParameter } from '../../src/errors/errors.ts';
import type { Figure } from '../figure.ts';
import { KeptResults, type Results } from '../results.ts';
import { type DataName, readDataSet } from '../zoo/data.ts';
import { runStudy, type StudySetting } from './collaboration.ts';
import { advisorNames, comparable, compare, modes, plot } from './costudy-figures.ts';

type Fixed = Pick<StudySetting, 'task' | 'family' | 'knobs' | 'epochs'> & {
  data: DataName;
  validation?: number;
};

const words = { word_ngrams: 2, min_texts: 1, max_tokens: 128, dim: 16, batch: 32 };
const pixels = { side: 32, whitening: 'none', shift: 2, flip: true, rotation: 0, colour: 0, cutout: 0 };
/** One network for each data set, of which the knobs of training are tuned, as in the paper. Short: far from trained after a trial. */
const settings = {
  trec: { data: 'trec', task: 'text_classification', family: 'fasttext', knobs: { ...words, epochs: 6 }, epochs: 96 },
  'trec-short': {
    data: 'trec',
    task: 'text_classification',
    family: 'fasttext',
    knobs: { ...words, epochs: 2 },
    epochs: 96,
  },
  mr: { data: 'mr', task: 'sentiment', family: 'fasttext', knobs: { ...words, epochs: 6 }, epochs: 96 },
  cifar10: {
    data: 'cifar10',
    task: 'image_classification',
    family: 'resnet',
    knobs: { ...pixels, mirror_answers: false, width: 8, blocks: 1, epochs: 2, batch: 64 },
    epochs: 24,
    validation: 1000,
  },
} satisfies Record<string, Fixed>;
type SettingName = keyof typeof settings;
const isSetting = (name: string): name is SettingName => Object.hasOwn(settings, name);

export interface CostudyOptions {
  data: string;
  seeds: number;
}

/** Study compared with CoStudy with the same total of epochs: best score, and how many trials are among the best quarter of all. */
export async function* costudyBench({ data, seeds }: CostudyOptions): AsyncIterable<Figure> {
  if (!isSetting(data)) {
    throw new InvalidParameter(`there is no setting for "${data}"`, {
      hint: `--costudy ${Object.keys(settings).join('|')}`,
    });
  }
  const results = new KeptResults(`costudy/${data}.csv`, [
    'mode',
    'advisor',
    'seed',
    'trial',
    'spent',
    'score',
    'warm',
  ]);
  await measure(data, results, seeds);
  const rows = comparable(
    results.rows.map(([mode = '', advisor = '', seed, , spent, score]) => ({
      mode,
      advisor,
      seed: Number(seed),
      spent: Number(spent),
      score: Number(score),
    })),
  );
  if (rows.length === 0) return;
  plot(data, settings[data].epochs, rows);
  yield* compare(data, rows);
}

async function measure(name: SettingName, results: Results, seeds: number): Promise<void> {
  const fixed: Fixed = settings[name];
  const { data, validation, ...setting } = fixed;
  const { classes, train, valid } = readDataSet(data);
  const { inputs, labels } = valid;
  const dataSet = {
    classes,
    train,
    valid: { inputs: inputs.slice(0, validation), labels: labels.slice(0, validation) },
  };
  for (let seed = 1; seed <= seeds; seed++) {
    for (const advisor of advisorNames) {
      for (const mode of modes) {
        if (results.has(mode, advisor, seed)) continue;
        const collaborative = mode === 'costudy';
        const trials = await runStudy({
          ...setting,
          data: dataSet,
          threads: 1,
          collaborative,
          advisor: advisorByName(advisor),
          seed,
        });
        results.add(
          ...trials.map(({ number, spent, score, warm }) => [
            mode,
            advisor,
            seed,
            number,
            spent,
            score.toFixed(4),
            Number(warm),
          ]),
        );
        process.stderr.write(
          `${name} ${mode} ${advisor} ${seed}: ${Math.max(...trials.map(({ score }) => score)).toFixed(4)}\n`,
        );
      }
    }
  }
}
