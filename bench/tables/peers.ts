import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PythonProcess } from '../python-process.ts';
import { foldsOf, type TableFiles, type TableName, writeTable } from '../trees/tables.ts';
import type { FoldLoss, FoldPlace } from './folds.ts';

/** Two libraries, each with its defaults and with settings of somebody who knows it. */
export const peers = {
  sklearn: { library: 'sklearn', tuned: false },
  'sklearn-tuned': { library: 'sklearn', tuned: true },
  xgboost: { library: 'xgboost', tuned: false },
  'xgboost-tuned': { library: 'xgboost', tuned: true },
} as const;
export type PeerName = keyof typeof peers;

/** One peer on one table, with numbers as they are and other values as codes of categories. */
export class PeerProcess {
  readonly #python: PythonProcess;
  readonly #table: TableFiles;
  readonly #tuned: boolean;

  private constructor(python: PythonProcess, table: TableFiles, tuned: boolean) {
    this.#python = python;
    this.#table = table;
    this.#tuned = tuned;
  }

  /** Null if Python has no such library. */
  static async start(peer: PeerName, name: TableName, dir: string): Promise<PeerProcess | null> {
    const { library, tuned } = peers[peer];
    process.env['OMP_NUM_THREADS'] = '1'; // scikit-learn's threads
    const python = await PythonProcess.start(fileURLToPath(new URL('./peer.py', import.meta.url)), [library]);
    return python && new PeerProcess(python, writeTable(name, dir), tuned);
  }

  async loss({ repeat, fold }: FoldPlace): Promise<FoldLoss> {
    const { dir, rows } = this.#table;
    writeFileSync(path.join(dir, `fold-${repeat}.u8`), foldsOf(rows, repeat));
    const request = { table: this.#table, repeat, fold, tuned: this.#tuned };
    return JSON.parse(await this.#python.ask(JSON.stringify(request))) as FoldLoss;
  }

  stop(): void {
    this.#python.stop();
  }
}
