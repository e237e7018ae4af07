import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Figure } from './figure.ts';
import { startStage } from './predict/stage.ts';
import { inserts, killed, loads } from './rows/attached.ts';

export interface RowsOptions {
  quick: boolean;
}

/** Attached tables: the cost of rows, and whether all are filled while the server is killed. */
export async function* rowsBench({ quick }: RowsOptions): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    const stage = await startStage(dataDir);
    try {
      yield* inserts(stage, quick);
      yield await loads(stage, quick ? 20_000 : 100_000);
      yield* killed(stage, quick ? 3 : 10);
    } finally {
      await stage.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
