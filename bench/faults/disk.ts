import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultSkipped, type SingleFault, underLoad } from './fault.ts';

/** Enough for the cluster, its WAL and the models; what is left is filled. */
const DATA_MB = 700;
/** Less than the rows and models of the load take. */
const CACHE_KB = 256;
const FULL_MS = 30_000;
const CHUNK = Buffer.alloc(1 << 20);

/** Rows and models are kept on disk so that they need not be fetched again: without room everything works, only slower. */
export const cacheFull: SingleFault = {
  name: 'disk-full-cache',
  checks: `the disk of data and models on ${CACHE_KB} kB, for ${FULL_MS / 1000} s`,
  run: () =>
    onSmallDisk('cache', `${CACHE_KB}k`, (dataDir) =>
      underLoad({ dataDir }, async () => {
        await sleep(FULL_MS);
        return undefined;
      }),
    ),
};

/** Postgres stops when it cannot write its log ahead; when there is room again, it recovers. */
export const dataFull: SingleFault = {
  name: 'disk-full-data',
  checks: `no room for data, WAL, parameters and cache, for ${FULL_MS / 1000} s`,
  run: () =>
    onSmallDisk('', `${DATA_MB}m`, (dataDir) =>
      underLoad({ dataDir }, async () => {
        const ballast = path.join(dataDir, 'ballast');
        const until = performance.now() + FULL_MS;
        while (performance.now() < until) {
          fill(ballast); // what Postgres gives back when it stops is taken too
          await sleep(500);
        }
        rmSync(ballast);
        return undefined;
      }),
    ),
};

function fill(file: string): void {
  const ballast = openSync(file, 'a');
  try {
    for (let size = CHUNK.length; size >= 1; size = Math.floor(size / 16)) {
      try {
        for (;;) if (writeSync(ballast, CHUNK, 0, size) < size) break;
      } catch {
        // no room for so many bytes: for fewer then
      }
    }
  } finally {
    closeSync(ballast);
  }
}

async function onSmallDisk<T>(folder: string, size: string, work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-disk-'));
  const mounted = path.join(dataDir, folder);
  mkdirSync(mounted, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mounted], { stdio: 'pipe' });
  } catch (error) {
    throw new FaultSkipped(`a small disk cannot be mounted here: ${error instanceof Error ? error.message : error}`);
  }
  try {
    chmodSync(mounted, folder === '' ? 0o711 : 0o700);
    return await work(dataDir);
  } finally {
    execFileSync('umount', ['--lazy', mounted]);
    rmSync(dataDir, { recursive: true, force: true });
  }
}
