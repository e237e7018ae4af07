import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

let rafiki: RunningRafiki;
beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '2'] });
  await loadMails(rafiki.db, 'mail', 1500);
});
afterAll(() => rafiki.stop());

async function begin(name: string, trials: number): Promise<number> {
  const train = `select rafiki_train('text_classification', 'mail', model => $1, max_trials => $2, max_time => '3 min', seed => 7) as study`;
  const [row] = await rafiki.db.transaction(async (tx) => {
    await tx.query('set local rafiki.refit = off'); // half the time
    return tx.query<{ study: number }>(train, [name, trials]);
  });
  return row!.study;
}

/** Waits for the study to end and checks that it made exactly the trials asked for, each counted once. */
async function endsWith(study: number, trials: number): Promise<void> {
  const ended = await eventually(async () => {
    const [row] = await rafiki.db.query<{ state: string }>('select state from rafiki.study where id = $1', [study]);
    return row && row.state !== 'running' && row.state !== 'queued' ? row.state : undefined;
  }, 200_000);
  expect(ended).toBe('completed');
  const rows = await rafiki.db.query<{ number: number; state: string }>(
    'select number, state from rafiki.trial where study_id = $1 order by number',
    [study],
  );
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: trials }, (_, i) => i + 1));
  expect(rows.every(({ state }) => state === 'completed' || state === 'stopped')).toBe(true);
}

/** A worker that has reported from a trial of the study which is not over; of a process, if one is given. */
async function inTrial(study: number, pid: number | null = null): Promise<number | undefined> {
  const [row] = await rafiki.db.query<{ pid: number }>(
    `select p.pid from rafiki.trial t join rafiki.process p on p.id = t.process_id
     where t.study_id = $1 and t.state = 'running' and exists (select from rafiki.report where trial_id = t.id)
       and p.pid = coalesce($2, p.pid) limit 1`,
    [study, pid],
  );
  return row?.pid;
}

const trialBegins = (study: number): Promise<number> => eventually(() => inTrial(study));

/** Kills a worker in its trial: it is stopped first, so that the trial cannot end before. */
async function killWorkerOf(study: number): Promise<void> {
  for (;;) {
    const pid = await trialBegins(study);
    process.kill(pid, 'SIGSTOP');
    const isInTrial = (await inTrial(study, pid)) !== undefined;
    process.kill(pid, isInTrial ? 'SIGKILL' : 'SIGCONT');
    if (isInTrial) return;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a worker killed in a trial: another one continues it', async () => {
  const study = await begin('worker_killed', 3);
  await killWorkerOf(study);
  await endsWith(study, 3);
  const [row] = await rafiki.db.query<{ attempts: number }>(
    'select max(attempt)::int as attempts from rafiki.trial where study_id = $1',
    [study],
  );
  expect(row!.attempts).toBeGreaterThan(0); // 0 is the first
});

test('the coordinator killed: its successor continues the study', async () => {
  const study = await begin('coordinator_killed', 3);
  await trialBegins(study);
  process.kill((await rafiki.pids('coordinator')).at(-1)!, 'SIGKILL');
  await endsWith(study, 3);
});

test('serving killed: a prediction fails with 08006 and a hint, and the same session works after the restart', async () => {
  const session = await rafiki.db.connect(() => {});
  const predict = `select rafiki_predict('worker_killed', 'free money') as label`;
  const [before] = await session.query<{ label: string }>(predict);
  process.kill(rafiki.process.pid!, 'SIGSTOP'); // no successor: the error must not wait for one
  process.kill((await rafiki.pids('serving')).at(-1)!, 'SIGKILL');
  await expect(session.query(predict)).rejects.toMatchObject({
    code: '08006',
    hint: expect.stringContaining('rafiki'),
  });
  process.kill(rafiki.process.pid!, 'SIGCONT');
  const after = await eventually(() =>
    session
      .query<{ label: string }>(predict)
      .then(([row]) => row)
      .catch(() => undefined),
  );
  expect(after).toEqual(before);
  await session.close();
});

test('serving hangs: a connecting session waits until it is killed, and the next one is answered', async () => {
  const predict = `select rafiki_predict('worker_killed', 'free money') as label`;
  const hanging = (await rafiki.pids('serving')).at(-1)!;
  process.kill(hanging, 'SIGSTOP');
  const session = await rafiki.db.connect(() => {});
  await expect(session.query(predict)).rejects.toMatchObject({ code: '08006' });
  await eventually(async () => !isRunning(hanging) || undefined); // its sockets close a little before the kernel lets it go
  await eventually(async () => (await session.query(predict).catch(() => [])).length === 1 || undefined);
  await session.close();
});

test('Postgres killed: it is restarted, and the study completes', async () => {
  const study = await begin('postgres_killed', 3);
  await trialBegins(study);
  const [row] = await rafiki.admin.query<{ pid: number }>(
    `select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid`,
  );
  process.kill(row!.pid, 'SIGKILL');
  await endsWith(study, 3);
});

test('SIGTERM stops everything and leaves nothing running', async () => {
  const kinds = ['worker', 'coordinator', 'serving'] as const;
  const pids = (await Promise.all(kinds.map((kind) => rafiki.pids(kind)))).flat();
  expect(pids.length).toBeGreaterThanOrEqual(4);
  expect(await rafiki.stop()).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);
});
