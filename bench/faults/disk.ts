import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultSkipped, type SingleFault, underLoad } from './fault.ts';

/** Enough for the cluster, its WAL and the models; the rest is filled. */
const DATA_MB = 700;
const CACHE_MB = 64;
const FULL_MS = 30_000;
const CHUNK = Buffer.alloc(1 << 20);

/** Calls that need space meanwhile fail with the reason; later ones do not. */
export const cacheFull: SingleFault = {
  name: 'disk-full-cache',
  checks: `no room for the rows and models that are kept on disk, for ${FULL_MS / 1000} s`,
  run: () =>
    onSmallDisk('cache', CACHE_MB, (dataDir) => underLoad({ dataDir }, () => keepFull(path.join(dataDir, 'cache')))),
};

/** Postgres stops when it cannot write its log ahead; when there is space again, it recovers. */
export const dataFull: SingleFault = {
  name: 'disk-full-data',
  checks: `no room for data, WAL, parameters and cache, for ${FULL_MS / 1000} s`,
  run: () => onSmallDisk('', DATA_MB, (dataDir) => underLoad({ dataDir }, () => keepFull(dataDir))),
};

/** Space that is freed meanwhile is filled too. */
async function keepFull(folder: string): Promise<undefined> {
  const ballast = path.join(folder, 'ballast');
  const until = performance.now() + FULL_MS;
  while (performance.now() < until) {
    fill(ballast);
    await sleep(500);
  }
  rmSync(ballast);
}

function fill(file: string): void {
  const ballast = openSync(file, 'a');
  try {
    for (let size = CHUNK.length; size >= 1; size = Math.floor(size / 16)) {
      try {
        for (;;) if (writeSync(ballast, CHUNK, 0, size) < size) break;
      } catch {
        // no space for as many bytes: tries fewer
      }
    }
  } finally {
    closeSync(ballast);
  }
}

async function onSmallDisk<T>(folder: string, megabytes: number, work: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-disk-'));
  const mounted = path.join(dataDir, folder);
  mkdirSync(mounted, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', mounted], { stdio: 'pipe' });
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
