import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { processesOf, processKinds, sample, type VictimKind } from '../load/processes.ts';
import type { LoadStage } from '../load/stage.ts';

/** One moment: the value of each series; null if it could not be measured, for example while Postgres is down. */
export type Moment = Record<string, number | null>;

/** Tables that grow with every study: its history. */
const historyTables = [
  'study',
  'trial',
  'trial_start',
  'trial_variant',
  'trial_worker',
  'trial_round',
  'trial_change',
  'report',
  'validation',
  'deployment',
  'study_key',
];

/** Measures every process and the database of a stage. The series are the same in each moment. */
export class Sampler {
  readonly #stage: LoadStage;
  readonly #tables: readonly string[];

  private constructor(stage: LoadStage, tables: readonly string[]) {
    this.#stage = stage;
    this.#tables = tables;
  }

  static async on(stage: LoadStage): Promise<Sampler> {
    const rows = await stage.admin.query<{ name: string }>(
      `select c.relname::text as name from pg_class c
       where c.relnamespace = 'rafiki'::regnamespace and c.relkind = 'r' order by 1`,
    );
    return new Sampler(
      stage,
      rows.map(({ name }) => name),
    );
  }

  get series(): string[] {
    return [
      ...processKinds.flatMap((kind) =>
        ['count', 'memory_mb', 'peak_mb', 'files', 'threads'].map((each) => `${kind}_${each}`),
      ),
      'connections',
      ...this.#tables.map((table) => `rows_${table}`),
      'data_mb',
      'wal_mb',
      'cache_mb',
    ];
  }

  async measure(): Promise<Moment> {
    const { dataDir } = this.#stage.rafiki;
    return {
      ...this.#processes(),
      ...(await this.#rows()),
      data_mb: folderMb(path.join(dataDir, 'db/base')),
      wal_mb: folderMb(path.join(dataDir, 'db/pg_wal')),
      cache_mb: folderMb(path.join(dataDir, 'cache')),
    };
  }

  /** Means over the processes of a kind, so that a restarting one does not count as shrinking; the highest peak. */
  #processes(): Moment {
    const found = processesOf(this.#stage.rafiki.process.pid ?? 0).flatMap((each) => sample(each) ?? []);
    const moment: Moment = {};
    for (const kind of processKinds) {
      const of = found.filter((each) => each.kind === kind);
      const mean = (key: 'memoryMb' | 'files' | 'threads'): number | null =>
        of.length === 0 ? null : of.reduce((sum, each) => sum + each[key], 0) / of.length;
      moment[`${kind}_count`] = of.length;
      moment[`${kind}_memory_mb`] = mean('memoryMb');
      moment[`${kind}_peak_mb`] = of.length === 0 ? null : Math.max(...of.map(({ peakMb }) => peakMb));
      moment[`${kind}_files`] = mean('files');
      moment[`${kind}_threads`] = mean('threads');
    }
    return moment;
  }

  async #rows(): Promise<Moment> {
    const counts = this.#tables.map((table) => `(select count(*)::int from rafiki.${table}) as rows_${table}`);
    const sql = `select (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as connections, ${counts.join(', ')}`;
    const [row] = await this.#stage.admin.query<Moment>(sql).catch(() => []);
    return (
      row ?? Object.fromEntries(['connections', ...this.#tables.map((table) => `rows_${table}`)].map((s) => [s, null]))
    );
  }
}

/** Files may be deleted meanwhile. */
function folderMb(folder: string): number | null {
  try {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const size = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    return files.reduce((sum, { parentPath, name }) => sum + size(path.join(parentPath, name)), 0) / 2 ** 20;
  } catch {
    return null;
  }
}

export const isHistory = (series: string): boolean => historyTables.includes(series.replace(/^rows_/, ''));

/** Whether its slope is checked: peaks only rise while a process lives, training processes live for seconds. */
export const isJudged = (series: string): boolean => {
  const unjudged: VictimKind[] = ['trial'];
  return !isHistory(series) && !/_peak_mb$/.test(series) && !unjudged.some((kind) => series.startsWith(`${kind}_`));
};
