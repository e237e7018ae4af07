import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { kill } from '../load/kills.ts';
import { startCluster } from '../tuning/workers/cluster.ts';
import { type SingleFault, underLoad } from './fault.ts';

const CLUSTER_PORT = 56_420;
const CONNECTIONS = 60;
/** Of 8 kB: the minimum of Postgres 17 and later. */
const QUEUE_PAGES = 64;
const NOTICE = 'x'.repeat(7_900);
const FULL_MS = 20_000;
const DRAIN_MS = 60_000;

/** Also for processes that must reconnect: a server and a worker are killed meanwhile. */
export const connectionsUsedUp: SingleFault = {
  name: 'connections-used-up',
  checks: `all ${CONNECTIONS} connections of Postgres taken for ${FULL_MS / 1000} s, while a server and a worker restart`,
  run: () =>
    onCluster({ max_connections: String(CONNECTIONS) }, (url) =>
      underLoad({ args: ['--database-url', url], adminUrl: url }, async (stage) => {
        const taken: pg.Client[] = [];
        const until = performance.now() + FULL_MS;
        let killed = false;
        while (performance.now() < until) {
          const client = new pg.Client({ connectionString: url });
          client.on('error', () => undefined);
          const full = await client.connect().then(
            () => false,
            () => true,
          );
          if (!full) taken.push(client);
          else if (!killed) {
            for (const kind of ['serving', 'worker'] as const)
              for (const pid of stage.pids(kind).slice(0, 1)) kill(pid);
            killed = true;
          } else await sleep(100);
        }
        await Promise.all(taken.map((client) => client.end()));
        return killed ? [] : ['the connections were never used up'];
      }),
    ),
};

/** A session that listens and idles in a transaction keeps all later notifications in the queue, which all sessions share. */
export const notifyQueueFull: SingleFault = {
  name: 'notify-queue-full',
  checks: `the notification queue (${QUEUE_PAGES} pages) full for ${FULL_MS / 1000} s`,
  run: () =>
    onCluster({ max_connections: '100', max_notify_queue_pages: String(QUEUE_PAGES) }, (url) =>
      underLoad({ args: ['--database-url', url], adminUrl: url }, async () => {
        const [sitting, flooding] = [new pg.Client(url), new pg.Client(url)];
        await Promise.all([sitting.connect(), flooding.connect()]);
        await sitting.query('listen flood');
        await sitting.query('begin');
        await sitting.query('select 1');
        let refused = 0;
        const until = performance.now() + FULL_MS;
        while (performance.now() < until) {
          const full = await flooding.query(`select pg_notify('flood', $1)`, [NOTICE]).then(
            () => false,
            () => true,
          );
          if (!full) continue;
          refused++;
          await sleep(50);
        }
        await sitting.query('rollback');
        const found = refused > 0 ? await drained(flooding) : ['the queue was never full'];
        await Promise.all([sitting.end(), flooding.end()]);
        return found;
      }),
    ),
};

/**
 * Postgres removes notifications that all sessions have read when one is written, and when a session queries the usage of the queue: a
 * full queue stays full, even if all was read, until such a query.
 */
async function drained(session: pg.Client): Promise<string[]> {
  const until = performance.now() + DRAIN_MS;
  while (performance.now() < until) {
    const passed = await session.query(`select pg_notify('flood', '')`).then(
      () => true,
      () => false,
    );
    if (passed) return [];
    await sleep(500);
  }
  await session.query('select pg_notification_queue_usage()'); // removes the notifications that were read
  return [`no notification passes ${DRAIN_MS / 1000} s after the session that held the queue let it go`];
}

async function onCluster<T>(settings: Record<string, string>, work: (url: string) => Promise<T>): Promise<T> {
  const cluster = await startCluster({ port: CLUSTER_PORT, settings });
  try {
    return await work(cluster.url);
  } finally {
    await cluster.stop();
  }
}
