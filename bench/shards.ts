import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DataFileWriter } from '../src/datasets/data-file-writer.ts';
import { createRng } from '../src/runtime/rng.ts';
import type { Figure } from './figure.ts';
import type { HeldRows } from './shards/hold.ts';

export interface ShardsOptions {
  /** Short texts of the data set; default: ten million. */
  rows?: string | undefined;
  /** Workers that each hold a shard, beside one that holds all rows; default: 4. */
  workers?: string | undefined;
}

const CLASSES = 10;
const WORDS = 50_000;
const WORDS_PER_TEXT = 9;
const LINES_PER_CHUNK = 10_000;

/**
 * Time and memory of a training process until it can begin to train fastText on many short texts, generated ones of words by Zipf's law: if it
 * holds all of them, and if it is one of several workers, a joined one, that holds a shard.
 */
export async function* shardsBench({ rows = '10000000', workers = '4' }: ShardsOptions): AsyncIterable<Figure> {
  const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-shards-'));
  const figure = { bench: 'shards', ok: null } as const;
  try {
    const file = path.join(folder, 'study.rows');
    await pipeline(Readable.from(textsOf(Number(rows))), new DataFileWriter(file));
    yield {
      ...figure,
      name: 'file',
      value: Math.round(statSync(file).size / 2 ** 20),
      unit: 'MB',
      note: `${rows} texts`,
    };
    for (const [name, shards] of [
      ['shard', workers],
      ['all', '1'],
    ] as const) {
      for await (const { stage, seconds, megabytes } of hold(file, shards)) {
        yield {
          ...figure,
          name: `${name}-${stage}`,
          value: Math.round(megabytes),
          unit: 'MB',
          note: `${seconds.toFixed(0)} s`,
        };
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The stages that a process reaches. It has the memory that a training process has, which may not be enough. */
async function* hold(file: string, shards: string): AsyncIterable<HeldRows> {
  const child = fork(path.join(import.meta.dirname, 'shards/hold.ts'), [file, shards], {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
  });
  const reached: HeldRows[] = [];
  child.on('message', (held: HeldRows) => reached.push(held));
  const end = await new Promise<string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code === 0 ? null : (signal ?? `code ${code}`))),
  );
  yield* reached;
  if (end !== null) yield { stage: `ended by ${end}`, seconds: 0, megabytes: 0 };
}

function* textsOf(rows: number): Generator<Buffer> {
  const rng = createRng(1);
  const wordOf = (): string => `w${Math.floor(WORDS ** rng.uniform())}`;
  for (let done = 0; done < rows; done += LINES_PER_CHUNK) {
    const lines = Array.from({ length: Math.min(LINES_PER_CHUNK, rows - done) }, () => {
      const label = rng.below(CLASSES);
      const words = Array.from({ length: WORDS_PER_TEXT }, wordOf);
      return `${JSON.stringify([`class ${label}`, `${words.join(' ')} c${label}`])}\n`;
    });
    yield Buffer.from(lines.join(''));
  }
}
