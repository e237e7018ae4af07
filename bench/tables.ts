import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InvalidParameter } from '../src/errors/errors.ts';
import { familiesFor } from '../src/models/registry.ts';
import type { Figure } from './figure.ts';
import { KeptResults } from './results.ts';
import { type Losses, losses, summary, tableFigure } from './tables/figures.ts';
import { type FoldPlace, placesOf, studyTable } from './tables/folds.ts';
import { type PeerName, PeerProcess, peers } from './tables/peers.ts';
import { recipeLoss } from './tables/recipe.ts';
import { type TableName, tableNames } from './trees/tables.ts';

export interface TablesOptions {
  /** One repeat of the cross-validation, of the small tables. */
  quick: boolean;
  /** One table instead of all. */
  data?: string | undefined;
}

/** Tables of few rows, on which a fold takes seconds. */
const small: readonly TableName[] = ['autompg', 'german', 'housing', 'segment'];
const REPEATS = 5;

/**
 * What a study of several columns trains by default, compared with gradient boosting of XGBoost and scikit-learn: paired cross-validation of
 * five folds, repeated five times. Takes hours; what is in the results already is not measured again.
 */
export async function* tablesBench({ quick, data }: TablesOptions): AsyncIterable<Figure> {
  const all = Object.keys(tableNames) as TableName[];
  if (data !== undefined && !all.some((name) => name === data))
    throw new InvalidParameter(`there is no table "${data}"`, { hint: `Tables: ${all.join(', ')}.` });
  const names = all.filter((name) => (data === undefined ? !quick || small.includes(name) : name === data));
  const places = placesOf(quick ? 1 : REPEATS);
  const kept = new KeptResults('tables/folds.csv', ['table', 'by', 'repeat', 'fold', 'loss', 'seconds', 'families']);
  const compared: Losses[] = [];
  for (const name of names) {
    for (const peer of Object.keys(peers) as PeerName[]) await measurePeer(kept, { name, peer, places });
    await measureOwn(kept, { name, places });
    const own = losses(kept, { name, own: ownName(name), places });
    compared.push(own);
    yield tableFigure(name, own);
  }
  yield* summary(compared);
}

/** Our results are those of the families that there are: with another one all is measured again. */
function ownName(name: TableName): string {
  const task = tableNames[name] === 'number' ? 'tabular_regression' : 'tabular_classification';
  return familiesFor(task)
    .map((family) => family.name)
    .join('+');
}

interface MeasuredFold {
  name: TableName;
  places: readonly FoldPlace[];
}

async function measureOwn(kept: KeptResults, { name, places }: MeasuredFold): Promise<void> {
  const by = ownName(name);
  const missing = places.filter(({ repeat, fold }) => !kept.has(name, by, repeat, fold));
  if (missing.length === 0) return;
  const table = studyTable(name);
  for (const { repeat, fold } of missing) {
    const { loss, seconds, families } = await recipeLoss(table, { repeat, fold });
    kept.add([name, by, repeat, fold, loss.toFixed(6), seconds.toFixed(1), families.join('+')]);
  }
}

async function measurePeer(
  kept: KeptResults,
  { name, peer, places }: MeasuredFold & { peer: PeerName },
): Promise<void> {
  const missing = places.filter(({ repeat, fold }) => !kept.has(name, peer, repeat, fold));
  if (missing.length === 0) return;
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  const process = await PeerProcess.start(peer, name, dir);
  try {
    for (const { repeat, fold } of process === null ? [] : missing) {
      const { loss, seconds } = await (process as PeerProcess).loss({ repeat, fold });
      kept.add([name, peer, repeat, fold, loss.toFixed(6), seconds.toFixed(1), '']);
    }
  } finally {
    process?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
