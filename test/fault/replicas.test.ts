import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { choosePort } from '../../src/cli/up/free-port.ts';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
const SESSIONS = 6;
const MAX_FAILURES = 100;

let rafiki: RunningRafiki;
let port: number;
let replica: ChildProcess;
beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '1'] });
  await loadMails(rafiki.db, 'mail', 400);
  await rafiki.db.query(
    `call rafiki_train_wait('text_classification', 'mail', families => '{fasttext}', max_trials => 1)`,
  );
  port = await choosePort(undefined, 24_400, '--bridge-port');
  replica = await startReplica();
});
afterAll(async () => {
  await ended(replica, 'SIGTERM');
  await rafiki.stop();
});

/** A second server of the same database. */
async function startReplica(): Promise<ChildProcess> {
  const args = [entry, 'serve', '--database-url', rafiki.serviceUrl, '--bridge-port', String(port)];
  const env = { ...process.env, RAFIKI_LOG: 'warn' };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message) => {
      if (message === 'ready') resolve();
    });
    child.once('exit', (code) => reject(new Error(`the replica ended with ${code}`)));
  });
  return child;
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}

interface ReplicaLoad {
  calls: number;
  failures: unknown[];
  stop(): Promise<void>;
}

/** Sessions that ask one text after the other, each a new one. */
function startLoad(name: string): ReplicaLoad {
  let isOn = true;
  const load: ReplicaLoad = { calls: 0, failures: [], stop: () => Promise.resolve() };
  const session = async (number: number): Promise<void> => {
    const connection = await rafiki.db.connect(() => {});
    while (isOn && load.failures.length < MAX_FAILURES) {
      const text = `free money ${name} ${number} ${load.calls}`;
      await connection
        .query('select rafiki_predict($1, $2)', ['mail_text_classification', text])
        .catch((error: unknown) => load.failures.push(error));
      load.calls++;
    }
    await connection.close();
  };
  const sessions = Promise.all(Array.from({ length: SESSIONS }, (_, i) => session(i)));
  load.stop = async () => {
    isOn = false;
    await sessions;
  };
  return load;
}

const more = (load: ReplicaLoad, calls: number): Promise<true> => {
  const enough = load.calls + calls;
  return eventually(async () => (load.calls >= enough ? true : undefined));
};

const hosts = async (): Promise<number> => {
  const [row] = await rafiki.admin.query<{ count: number }>('select count(*)::int as count from rafiki.bridge_address');
  return row?.count ?? 0;
};

test('of two servers one stops, and starts again, under load: no call fails', async () => {
  expect(await hosts()).toBe(2);
  const load = startLoad('stopped');
  await more(load, 50);
  await ended(replica, 'SIGTERM');
  expect(await hosts()).toBe(1);
  await more(load, 50);
  replica = await startReplica();
  await more(load, 50);
  await load.stop();
  expect(load.failures).toEqual([]);
});

test('one is killed: its calls are repeated at the other', async () => {
  const load = startLoad('killed');
  await more(load, 50);
  await ended(replica, 'SIGKILL');
  await more(load, 50);
  await load.stop();
  replica = await startReplica();
  expect(load.failures).toEqual([]);
});

test('sessions are shared among both', async () => {
  await eventually(async () => {
    const load = startLoad('shared'); // new sessions each time: chance shares them
    try {
      await more(load, SESSIONS);
    } finally {
      await load.stop();
    }
    const rows = await rafiki.admin.query(
      `select from rafiki.predict_stat s join rafiki.process p on p.id = s.process_id
       where p.seen_at > now() - interval '12 s' and s.calls > 0`,
    );
    return rows.length === 2 || undefined;
  });
});
