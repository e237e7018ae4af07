import { readFileSync } from 'node:fs';
import type { Database } from '../../src/db/database.ts';

/** Resident memory of the serving process, MB. */
export async function servingMemoryMb(db: Database): Promise<number> {
  const [process] = await db.query<{ pid: number }>(`select pid from rafiki.process where kind = 'serving' limit 1`);
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process?.pid}/status`, 'utf8'))?.[1];
  return Number(kb ?? Number.NaN) / 1024;
}
