import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRng } from '../../src/runtime/rng.ts';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import type { Figure } from '../figure.ts';
import { kill } from '../load/kills.ts';

const WORKERS = 3;
/** Further ones that the faults add and kill. */
const MAX_ADDED = 2;
const MAILS = 3500;
const KNOBS = '{"epochs": 16, "hidden": 96, "max_characters": 512}';
/** Between two faults, and of a pause: at most half of a lease, so that a paused worker keeps the trial. */
const PAUSE_MS = { between: 4_000, stopped: 7_000 };
const END_MS = 20 * 60_000;
/** A score may be lower by this, or by its standard error. */
const MAX_LOSS = 0.01;

interface VictimWorker {
  process: number;
  pid: number;
  leads: boolean;
}

interface EndedJob {
  state: string;
  score: number;
  seconds: number;
  attempt: number;
  validated: number;
}

/** A job of three workers, in which one is killed, paused or added at random `count` times, and the same without. */
export async function* teamFaults(
  count: number,
  { seed, knobs = KNOBS }: { seed: number; knobs?: string | undefined },
): AsyncIterable<Figure> {
  const calm = await runJob({ seed, knobs }, async () => undefined);
  const hit = new Map<number, number>();
  const kinds = new Map<string, number>();
  let missed: Missed[] = [];
  const disturbed = await runJob({ seed, knobs }, async (rafiki) => {
    await disturb(rafiki, { count, seed, hit, kinds });
    missed = missedRounds(rafiki);
  });
  const figure = (name: string, value: number, more: Partial<Figure> = {}): Figure => ({
    ...{ bench: 'joint', name: `faults-${name}`, value: Number(value.toPrecision(4)), unit: '', ok: null },
    ...more,
  });
  const done = [...kinds.values()].reduce((sum, n) => sum + n, 0);
  yield figure('injected', done, {
    ok: done === count && (disturbed.state === 'completed' || disturbed.state === 'stopped'), // early, since later epochs were no better
    note: `${[...kinds].map(([kind, n]) => `${kind} ${n}`).join(', ')}; the trial ended as ${disturbed.state}, attempt ${disturbed.attempt + 1}`,
  });
  const error = Math.sqrt((calm.score * (1 - calm.score)) / calm.validated);
  yield figure('score', disturbed.score, {
    ...{ peer: 'without', peerValue: calm.score, ratio: disturbed.score / calm.score },
    ok: calm.score - disturbed.score <= Math.max(error, MAX_LOSS * calm.score),
    note: `standard error ${error.toFixed(4)}`,
  });
  yield figure('seconds', disturbed.seconds, { unit: 's', peer: 'without', peerValue: calm.seconds });
  const excess = missed.filter(({ process, rounds }) => rounds > (hit.get(process) ?? 0));
  const lost = missed.reduce((sum, { rounds }) => sum + rounds, 0);
  yield figure('shares-lost', lost, {
    ok: excess.length === 0,
    note:
      excess.length === 0
        ? 'at most one for each fault of its worker'
        : `more than faults: ${excess.map(({ process, rounds }) => `worker ${process}: ${rounds} of ${hit.get(process) ?? 0}`).join(', ')}`,
  });
}

async function runJob(
  { seed, knobs }: { seed: number; knobs: string },
  during: (rafiki: RunningRafiki) => Promise<void>,
): Promise<EndedJob> {
  const rafiki = await rafikiUp({ args: ['--workers', String(WORKERS), '--threads', '1'] });
  try {
    await loadMails(rafiki.db, 'mail', MAILS);
    await rafiki.db.query(
      `select rafiki_train('text_classification', 'mail', families => '{char_rnn}', max_trials => 1, max_time => '1 hour',
         workers_per_trial => $1, knobs => $2::jsonb, seed => $3)`,
      [WORKERS + MAX_ADDED, knobs, seed],
    );
    await during(rafiki);
    return await eventually(async () => {
      const [job] = await rafiki.admin.query<EndedJob>(
        `select t.state, t.attempt, t.score, (select max(seconds) from rafiki.report r where r.trial_id = t.id) as seconds,
           (select round(count(*) * s.validation)::int from mail) as validated
         from rafiki.trial t join rafiki.study s on s.id = t.study_id where s.ended_at is not null`,
      );
      return job;
    }, END_MS);
  } finally {
    await rafiki.stop();
  }
}

interface Missed {
  process: number;
  rounds: number;
}

/** Rounds in which a worker had a share, and sent nothing: each leading process says so. */
function missedRounds(rafiki: RunningRafiki): Missed[] {
  const added = logOfAdded(rafiki);
  const lines = `${rafiki.log()}\n${existsSync(added) ? readFileSync(added, 'utf8') : ''}`.split('\n');
  const missed = new Map<number, number>();
  for (const line of lines.filter((each) => each.includes('a round ended without shares'))) {
    const { processes } = JSON.parse(line) as { processes: number[] };
    for (const process of processes) missed.set(process, (missed.get(process) ?? 0) + 1);
  }
  return [...missed].map(([process, rounds]) => ({ process, rounds }));
}

interface Disturbance {
  count: number;
  seed: number;
  /** Filled: faults of each worker, and of each kind. */
  hit: Map<number, number>;
  kinds: Map<string, number>;
}

async function disturb(rafiki: RunningRafiki, { count, seed, hit, kinds }: Disturbance): Promise<void> {
  const rng = createRng(seed);
  const added: ChildProcess[] = [];
  const add = <Key>(map: Map<Key, number>, key: Key): unknown => map.set(key, (map.get(key) ?? 0) + 1);
  try {
    for (let done = 0; done < count; ) {
      await sleep(rng.uniform() * PAUSE_MS.between);
      if (await hasEnded(rafiki)) return;
      const members = await membersOf(rafiki);
      const victim = members[rng.below(Math.max(1, members.length))];
      const kind = (['kill', 'pause', 'add'] as const)[rng.below(3)];
      const running = added.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
      if (kind === 'add') {
        if (running.length >= MAX_ADDED) continue;
        added.push(startWorker(rafiki, rng.uniform() < 0.5));
      } else {
        if (victim === undefined) continue;
        if (kind === 'kill') kill(victim.pid);
        else await pause(victim.pid, rng.uniform() * PAUSE_MS.stopped);
        add(hit, victim.process);
      }
      const isLead = kind !== 'add' && victim?.leads === true;
      add(kinds, isLead ? `${kind} the leading one` : kind);
      done++;
      process.stderr.write(`${done}: ${kind}${isLead ? ' the leading one' : ''}, of ${members.length} workers\n`);
    }
  } finally {
    for (const each of added) each.kill('SIGKILL');
  }
}

/** The worker's process; its training process goes on until it needs it. */
async function pause(pid: number, ms: number): Promise<void> {
  if (!kill(pid, 'SIGSTOP')) return;
  await sleep(ms);
  kill(pid, 'SIGCONT');
}

const logOfAdded = ({ dataDir }: RunningRafiki): string => path.join(dataDir, 'added.log');

/** One of this machine, or, with a cache of its own, of another one. */
function startWorker(rafiki: RunningRafiki, isNear: boolean): ChildProcess {
  const { serviceUrl, dataDir } = rafiki;
  const entry = path.resolve(import.meta.dirname, '../../dist/cli/main.js');
  const log = openSync(logOfAdded(rafiki), 'a');
  return spawn(process.execPath, [entry, 'worker', '--threads', '1'], {
    env: {
      ...process.env,
      DATABASE_URL: serviceUrl,
      RAFIKI_CACHE_DIR: path.join(dataDir, isNear ? 'cache' : 'cache-of-added'),
    },
    stdio: ['ignore', 'ignore', log],
  });
}

const membersOf = ({ admin }: RunningRafiki): Promise<VictimWorker[]> =>
  admin.query<VictimWorker>(
    `select process::int, pid, role = 'leads' as leads from rafiki.trial_workers where role in ('leads', 'trains')`,
  );

const hasEnded = async ({ admin }: RunningRafiki): Promise<boolean> =>
  (await admin.query('select from rafiki.study where ended_at is not null')).length > 0;
