import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICE, setServicePassword, urlAs } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { eventually, loadMails } from '../../test/support/rafiki-up.ts';
import { ended, MachineNetwork, noNetworks } from '../load/network.ts';
import { Outcomes } from '../load/outcomes.ts';
import { type BenchCluster, startCluster } from '../tuning/workers/cluster.ts';
import { FaultSkipped, type FaultVerdict, type SingleFault } from './fault.ts';

const CLUSTER_PORT = 56_440;
const PASSWORD = 'bench';
const CUT_MS = 30_000;
const SESSIONS = 8;
const TEXTS = 100;
/** Between two calls of a session: without pauses they take all cores, and trials minutes. */
const PAUSE_MS = 10;
/** Between two restarts, and before the first. */
const STEADY_MS = 5_000;

interface Machines {
  network: MachineNetwork;
  cluster: BenchCluster;
  /** What our processes need to run on a machine of the network. */
  args: string[];
  log: string;
}

export const workerCutOff: SingleFault = {
  name: 'worker-cut-off',
  checks: `one of two workers' machines is off the network for ${CUT_MS / 1000} s: the study ends with all its trials, no call fails`,
  run: () =>
    onMachines(async ({ network, cluster, args, log }) => {
      const [near, far] = [network.add('near'), network.add('far')];
      network.add('serving').start(['serve', ...args], { log });
      near.start(['worker', ...args], { log });
      await trained(cluster.db, `model => 'steady', max_trials => 1, families => '{fasttext}'`);
      far.start(['worker', ...args], { log });
      let trials: { completed: number; retried: number } | undefined;
      const verdict = await underCalls(cluster, async () => {
        const study = await started(
          cluster.db,
          `model => 'cut', max_trials => 12, families => '{temporal_cnn,fasttext}'`,
        );
        await eventually(async () => {
          const [row] = await cluster.db.query<{ workers: number }>(
            `select count(distinct process_id)::int as workers from rafiki.trial where study_id = $1 and state = 'running'`,
            [study],
          );
          return row?.workers === 2 ? true : undefined;
        });
        far.cut();
        await sleep(CUT_MS);
        far.rejoin();
        await endOf(cluster.db, study);
        [trials] = await cluster.db.query<{ completed: number; retried: number }>(
          `select count(*) filter (where state in ('completed', 'stopped'))::int as completed, count(*) filter (where attempt > 0)::int as retried
           from rafiki.trial where study_id = $1 and number <= 12`,
          [study],
        );
      });
      if (trials?.completed !== 12) verdict.broken.push(`${trials?.completed} of 12 trials have a score`);
      return { ...verdict, note: `${trials?.retried} trials were taken over; ${verdict.note}` };
    }),
};

export const servingRolled: SingleFault = {
  name: 'serving-rolled',
  checks: `two servers on machines of their own are stopped and started again in turn, under ${SESSIONS} sessions: no call fails`,
  run: () =>
    onMachines(async ({ network, cluster, args, log }) => {
      const machines = [network.add('one'), network.add('two')];
      const start = (machine: (typeof machines)[number]) => machine.start(['serve', ...args], { log });
      const servers = machines.map(start);
      network.add('worker').start(['worker', ...args], { log });
      await trained(cluster.db, `model => 'steady', max_trials => 1, families => '{fasttext}'`);
      await servedBy(cluster.db, 2);
      return underCalls(cluster, async () => {
        for (const [i, machine] of machines.entries()) {
          await sleep(STEADY_MS);
          const server = servers[i];
          if (server !== undefined) await ended(server);
          start(machine);
          await servedBy(cluster.db, 2);
        }
        await sleep(STEADY_MS);
      });
    }),
};

/** Postgres and the coordinator on this machine, and a network for others. */
async function onMachines(work: (machines: Machines) => Promise<FaultVerdict>): Promise<FaultVerdict> {
  const missing = noNetworks();
  if (missing !== null) throw new FaultSkipped(missing);
  const network = new MachineNetwork();
  try {
    const cluster = await startCluster({
      port: CLUSTER_PORT,
      settings: { max_connections: '100', listen_addresses: `127.0.0.1,${network.address}` },
    });
    try {
      return await work(await prepare(network, cluster));
    } finally {
      await network.remove();
      await cluster.stop();
    }
  } catch (error) {
    await network.remove().catch(() => undefined);
    throw error;
  }
}

async function prepare(network: MachineNetwork, cluster: BenchCluster): Promise<Machines> {
  const [hba] = await cluster.db.query<{ file: string }>(`select current_setting('hba_file') as file`);
  appendFileSync(hba?.file ?? '', `\nhost all all ${network.range} scram-sha-256\n`);
  await cluster.db.query('select pg_reload_conf()');
  await setServicePassword(cluster.db, PASSWORD);
  await loadMails(cluster.db, 'mail', 2000);
  const url = new URL(urlAs(cluster.url, SERVICE, PASSWORD));
  url.hostname = network.address;
  const log = path.join(mkdtempSync(path.join(tmpdir(), 'rafiki-machines-')), 'rafiki.log');
  const args = ['--database-url', url.href];
  network.add('coordinator').start(['coordinator', ...args], { log });
  return { network, cluster, args, log };
}

async function started(db: Database, args: string): Promise<number> {
  const [row] = await db.query<{ study: number }>(
    `select rafiki_train('text_classification', 'mail', seed => 1, max_time => '20 min', ${args}) as study`,
  );
  return row?.study ?? 0;
}

async function endOf(db: Database, study: number): Promise<void> {
  const [row] = await db.query<{ state: string }>('select rafiki_wait($1) as state', [study]);
  if (row?.state !== 'completed') throw new Error(`study ${study} ended as ${row?.state}`);
}

const trained = async (db: Database, args: string): Promise<void> => endOf(db, await started(db, args));

/** Until so many servers can be asked. */
const servedBy = (db: Database, count: number): Promise<true> =>
  eventually(async () => {
    const [row] = await db.query<{ servers: number }>('select count(*)::int as servers from rafiki.bridge_address');
    return row?.servers === count ? true : undefined;
  });

/** Does `work` while sessions predict one text after the other; their answers are compared with those before. */
async function underCalls(cluster: BenchCluster, work: () => Promise<void>): Promise<FaultVerdict> {
  const outcomes = new Outcomes();
  let running = true;
  const sessions = Array.from({ length: SESSIONS }, async () => {
    const db = new Database({
      ...{ url: cluster.url, application: 'bench', maxConnections: 1, asUser: true, logger: silentLogger },
    });
    const known = new Map<number, string>();
    while (running) {
      const id = 1 + Math.floor(Math.random() * TEXTS);
      try {
        const [row] = await db.query<{ label: string }>(
          `select rafiki_predict('steady', body) as label from mail where id = $1`,
          [id],
        );
        const label = row?.label ?? 'null';
        if ((known.get(id) ?? label) !== label) outcomes.wrong.push(`mail ${id}: ${label} after ${known.get(id)}`);
        known.set(id, label);
        outcomes.succeeded('single');
      } catch (error) {
        outcomes.failed((error as { code?: string }).code ?? 'connection', `mail ${id}: ${(error as Error).message}`);
      }
      await sleep(PAUSE_MS);
    }
    await db.stop();
  });
  try {
    await work();
  } finally {
    running = false;
    await Promise.all(sessions);
  }
  return { broken: [...outcomes.unexpected, ...outcomes.wrong].slice(0, 3), note: outcomes.describe() };
}
