import { readdirSync, readFileSync } from 'node:fs';
import type { Database } from '../../../src/db/database.ts';

/** What has been spent so far. */
export interface Spent {
  /** CPU time of this process, which the coordinator runs in, and of Postgres; null if the system does not report it. */
  coordinatorMs: number;
  postgresMs: number | null;
  transactions: number;
  walBytes: number;
}

export async function spentSoFar(db: Database, postmaster: number | undefined): Promise<Spent> {
  const [row] = await db.query<{ transactions: number; wal: number }>(
    `select (select sum(xact_commit) from pg_stat_database)::float8 as transactions,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal`,
  );
  const { user, system } = process.cpuUsage();
  return {
    coordinatorMs: (user + system) / 1000,
    postgresMs: postmaster === undefined ? null : cpuMsOf(postmaster),
    transactions: row?.transactions ?? 0,
    walBytes: row?.wal ?? 0,
  };
}

/** Linux counts in hundredths of a second. */
const TICK_MS = 10;

/** CPU time of the server: of its processes that run, and of those that it has waited for. */
function cpuMsOf(postmaster: number): number | null {
  try {
    const stats = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap(statOf);
    const running = stats.filter(({ pid, parent }) => pid === postmaster || parent === postmaster);
    const ended = running.find(({ pid }) => pid === postmaster)?.endedTicks ?? 0;
    return TICK_MS * (ended + running.reduce((sum, { ticks }) => sum + ticks, 0));
  } catch {
    return null; // no /proc
  }
}

/** None if the process has ended. Fields as in proc(5), counted from after the name, which may contain spaces. */
function statOf(pid: string): { pid: number; parent: number; ticks: number; endedTicks: number }[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const field = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const sum = (a: number, b: number): number => (field[a] ?? 0) + (field[b] ?? 0);
    return [{ pid: Number(pid), parent: field[1] ?? 0, ticks: sum(11, 12), endedTicks: sum(13, 14) }];
  } catch {
    return [];
  }
}
