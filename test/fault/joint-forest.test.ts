import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRoundHead } from '../../src/training/joint/round-file.ts';
import { eventually, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

let rafiki: RunningRafiki;

beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '2', '--threads', '1'] });
  await rafiki.db.query(`
    create table visits as
      select i as id, (i * 7919) % 10007 / 100.0 as age, (array['Bern', 'Basel', 'Chur', null])[1 + (i * 31) % 4] as city,
        (i * 104729) % 9973 / 10.0 as score, case when sin((i * 7919) % 10007 / 500.0) + (i * 31) % 4 * 0.4 + sin((i * 104729) % 9973 / 300.0) > 0.7 then 'yes' else 'no' end as buys
      from generate_series(1, 20000) i`);
  await rafiki.db.query('alter table visits add primary key (id)');
});
afterAll(() => rafiki.stop());

/** Seconds of work, so that others can join. */
async function train(model: string, workers: number): Promise<number> {
  const [row] = await rafiki.db.transaction(async (tx) => {
    await tx.query('set local rafiki.refit = off');
    return tx.query<{ study: number }>(
      `select rafiki_train('tabular_classification', 'visits', model => $1, target => 'buys', families => '{gradient_boosting}', max_trials => 1,
         max_time => '1 hour', workers_per_trial => $2, seed => 1, metric => 'likelihood',
         knobs => '{"epochs": 40, "learning_rate": 0.02, "leaves": 64}') as study`,
      [model, workers],
    );
  });
  return row!.study;
}

const ended = (study: number): Promise<string> =>
  eventually(async () => {
    const [row] = await rafiki.db.query<{ state: string }>('select state from rafiki.study where id = $1', [study]);
    return row === undefined || ['queued', 'running'].includes(row.state) ? undefined : row.state;
  }, 200_000);

/** Hash of the exported model, and what it was trained with. */
async function modelOf(study: number): Promise<unknown> {
  const [model] = await rafiki.admin.query(
    `select encode(m.hash, 'hex') as hash, t.knobs, t.seed, t.score, t.attempt from rafiki.trial t
     join rafiki.params_tensor m on m.params_id = t.params_id and m.name = 'model.onnx' where t.study_id = $1`,
    [study],
  );
  expect(model).toBeDefined();
  return model;
}

/** The worker of the trial that leads it, or the other one. */
const workerThat = (study: number, leads: boolean): Promise<number> =>
  eventually(async () => {
    const team = await rafiki.db.query<{ pid: number; role: string }>(
      'select pid, role from rafiki.trial_workers where study = $1',
      [study],
    );
    return team.find(({ role }) => (role === 'leads') === leads)?.pid;
  });

const trainingProcess = (worker: number): Promise<number> =>
  eventually(async () => Number(readFileSync(`/proc/${worker}/task/${worker}/children`, 'utf8').trim()) || undefined);

/** A file of the trial's folder. */
function roundsFile(named: RegExp): string | undefined {
  const folder = path.join(rafiki.dataDir, 'cache/rounds');
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  const found = names.find((name) => named.test(path.basename(name)));
  return found && path.join(folder, found);
}

const newestRound = (): number => {
  const file = roundsFile(/^round$/);
  return (file && readRoundHead<{ round: { number: number } }>(file)?.round.number) || 0;
};

test('two workers grow the model of one, also if one of them is killed in the middle of a tree', async () => {
  const together = await train('together', 2);
  const leading = await trainingProcess(await workerThat(together, true));
  await eventually(async () => {
    const [trial] = await rafiki.admin.query(
      'select from rafiki.report r join rafiki.trial t on t.id = r.trial_id where t.study_id = $1',
      [together],
    );
    return trial;
  });
  process.kill(leading, 'SIGSTOP'); // until the other one is ready, however long that takes on this machine
  const other = await workerThat(together, false);
  await eventually(async () => roundsFile(/^worker-\d+$/));
  process.kill(leading, 'SIGCONT');
  await eventually(async () => newestRound() > 0 || undefined); // how many follow before they rest depends on the machine
  process.kill(other, 'SIGKILL');
  expect(await ended(together)).toBe('completed');
  expect(rafiki.log()).toContain('a round ended without shares');
  expect(rafiki.log()).not.toContain('left a trial of another worker');
  const alone = await train('alone', 1);
  expect(await ended(alone)).toBe('completed');
  expect(await modelOf(together)).toEqual(await modelOf(alone));
});
