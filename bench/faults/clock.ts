import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster } from '../tuning/workers/cluster.ts';
import { FaultSkipped, type SingleFault, underLoad } from './fault.ts';

const CLUSTER_PORT = 56_420;
const library = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;
const jumps = ['+1h', '-1h', '+2d', '-2d', '+10m', '-10m', '+0'];
const STAY_MS = 8_000;

/** Only of our processes: leases depend on Postgres' clock, with which this was not tried. */
export const clockSet: SingleFault = {
  name: 'clock-set',
  checks: `the clock of our processes set back and forth: ${jumps.join(', ')}`,
  async run() {
    if (!existsSync(library)) throw new FaultSkipped('libfaketime is not installed (apt-get install libfaketime)');
    const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-clock-'));
    const file = path.join(folder, 'time');
    writeFileSync(file, '+0\n');
    const env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const cluster = await startCluster({ port: CLUSTER_PORT });
    try {
      return await underLoad({ args: ['--database-url', cluster.url], adminUrl: cluster.url, env }, async () => {
        for (const jump of jumps) {
          writeFileSync(file, `${jump}\n`);
          await sleep(STAY_MS);
        }
        return undefined;
      });
    } finally {
      await cluster.stop();
      rmSync(folder, { recursive: true });
    }
  },
};
