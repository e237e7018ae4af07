import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataSet } from '../../src/domain/task.ts';
import { EnvironmentUnfit } from '../../src/errors/errors.ts';
import { textsOf } from '../../src/features/encoder.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { trainTrial } from '../../src/training/train.ts';
import type { Figure } from '../figure.ts';
import { readDataSet } from '../zoo/data.ts';
import { howToGetPeer } from './peer.ts';

const epochs = 10;
const [dim, ngrams, batch] = [32, 2, 32];
const script = fileURLToPath(new URL('./fasttext_peer.py', import.meta.url));

/** Whole trials of fastText on real texts, compared with the fastText command and with PyTorch; memory with a million texts. */
export async function* fasttextTrials({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  try {
    yield* againstPeers(readDataSet('mr'), quick ? 1 : 3);
  } catch (error) {
    if (!(error instanceof EnvironmentUnfit)) throw error;
    yield { ...base('fasttext-command', 's'), value: Number.NaN, ok: null, note: error.hint ?? error.message };
  }
  if (!quick) yield await memoryGrowth();
}

const base = (name: string, unit: string) => ({ bench: 'engine', name, unit });

/** Minimum seconds of alternating rounds. Ours include all of a trial: fitting, encoding, validation, export. */
async function* againstPeers(data: DataSet, rounds: number): AsyncIterable<Figure> {
  const times = { own: [] as number[], command: [] as number[], pytorch: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.own.push(await ownSeconds(data));
    times.command.push(commandSeconds(data) ?? Number.NaN);
    times.pytorch.push(pytorchSeconds(data) ?? Number.NaN);
  }
  const own = Math.min(...times.own);
  const against = (name: string, peer: string, bar: number, note: string): Figure => {
    const peerValue = Math.min(...times[peer === 'fasttext' ? 'command' : 'pytorch']);
    const figure = { ...base(name, 's'), value: own, peer, bar };
    if (Number.isNaN(peerValue)) return { ...figure, peerValue: null, ratio: null, ok: null, note };
    return { ...figure, peerValue, ratio: own / peerValue, ok: own / peerValue <= bar };
  };
  yield against('fasttext-command', 'fasttext', 4, 'no fastText on this machine: apt-get install fasttext');
  yield against('fasttext-mr', 'pytorch', 1, howToGetPeer);
}

async function ownSeconds(data: DataSet): Promise<number> {
  const started = performance.now();
  const knobs = { epochs, dim, batch, word_ngrams: ngrams };
  const spec = { task: 'sentiment', family: 'fasttext', knobs, seed: 1, threads: 1, data } as const;
  await trainTrial(spec, { onReport: async () => 'continue', onCheckpoint: async () => undefined });
  return (performance.now() - started) / 1000;
}

/** Reading, training and writing, on two threads; null if the command is missing. */
function commandSeconds({ train, classes }: DataSet): number | null {
  const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    const input = path.join(folder, 'train.txt');
    const lines = textsOf(train.inputs).map((text, i) => `__label__${classes[Number(train.labels[i])]} ${text}`);
    writeFileSync(input, lines.join('\n'));
    const options = { epoch: epochs, wordNgrams: ngrams, dim, thread: 2, verbose: 0 };
    const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);
    const started = performance.now();
    const { status } = spawnSync('fasttext', [
      'supervised',
      '-input',
      input,
      '-output',
      path.join(folder, 'model'),
      ...args,
    ]);
    return status === 0 ? (performance.now() - started) / 1000 : null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Only the training steps, on as many threads as ours; null if Python has no torch. */
function pytorchSeconds({ train, classes }: DataSet): number | null {
  const job = {
    epochs,
    batch,
    dim,
    threads: 1,
    texts: train.inputs,
    labels: [...train.labels],
    classes: classes.length,
  };
  const { status, stdout } = spawnSync('/usr/bin/python3', [script], { input: JSON.stringify(job) });
  return status === 0 ? (JSON.parse(stdout.toString()) as number) : null;
}

/** Growth of the process from the first to the third epoch over a million texts of ten words. */
async function memoryGrowth(): Promise<Figure> {
  const rng = createRng(7);
  const word = (): string => `w${Math.floor(50_000 ** rng.uniform())}`;
  const texts = (rows: number): { inputs: string[]; labels: Int32Array } => ({
    inputs: Array.from({ length: rows }, () => Array.from({ length: 10 }, word).join(' ')),
    labels: Int32Array.from({ length: rows }, () => rng.below(2)),
  });
  const data = { classes: ['no', 'yes'], train: texts(1_000_000), valid: texts(1000) };
  const megabytes: number[] = [];
  await trainTrial(
    { task: 'sentiment', family: 'fasttext', knobs: { epochs: 3, batch: 64 }, seed: 1, threads: 1, data },
    {
      onReport: async () => {
        megabytes.push(process.memoryUsage().rss / 2 ** 20);
        return 'continue';
      },
      onCheckpoint: async () => undefined,
    },
  );
  const [first = 0] = megabytes;
  const growth = (megabytes.at(-1) ?? 0) - first;
  return {
    ...base('fasttext-million', 'MB'),
    value: growth,
    bar: 64,
    ok: growth <= 64,
    note: `${Math.round(first)} MB after the first epoch`,
  };
}
