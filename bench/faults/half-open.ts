import { setTimeout as sleep } from 'node:timers/promises';
import { HalfOpenProxy } from '../load/half-open-proxy.ts';
import { kill } from '../load/kills.ts';
import { startCluster } from '../tuning/workers/cluster.ts';
import { type SingleFault, underLoad } from './fault.ts';

const CLUSTER_PORT = 56_420;
const PROXY_PORT = 56_421;
const FORGOTTEN_MS = 60_000;
/** Longer than a call should wait for a silent server. */
const FROZEN_MS = 40_000;

export const halfOpenDatabase: SingleFault = {
  name: 'half-open-database',
  checks: 'every connection of our processes to Postgres goes dead without a word, then once more a minute later',
  async run() {
    const cluster = await startCluster({ port: CLUSTER_PORT });
    const { hostname, port } = new URL(cluster.url);
    const proxy = new HalfOpenProxy({ host: hostname, port: Number(port) });
    await proxy.listen(PROXY_PORT);
    const through = new URL(cluster.url);
    through.port = String(PROXY_PORT);
    try {
      const urls = { adminUrl: cluster.url, clientUrl: cluster.url };
      return await underLoad({ args: ['--database-url', through.href], ...urls }, async () => {
        for (let i = 0; i < 2; i++) {
          process.stderr.write(`${proxy.forget()} connections are half open\n`);
          await sleep(FORGOTTEN_MS);
        }
        return undefined;
      });
    } finally {
      proxy.close();
      await cluster.stop();
    }
  },
};

/** For Postgres the same as a half-open connection: the kernel acknowledges the data, and no process answers. */
export const bridgeFrozen: SingleFault = {
  name: 'bridge-frozen',
  checks: `the server's connections to Postgres stay open without replies, for ${FROZEN_MS / 1000} s`,
  run: () =>
    underLoad({}, async (stage, { outcomes }) => {
      const pids = stage.pids('serving');
      for (const pid of pids) kill(pid, 'SIGSTOP');
      await sleep(FROZEN_MS);
      const errors = [...outcomes.errors.values()].reduce((sum, n) => sum + n, 0);
      for (const pid of pids) kill(pid, 'SIGCONT');
      return errors > 0 ? [] : [`no call ended within ${FROZEN_MS / 1000} s, not even with an error`];
    }),
};
