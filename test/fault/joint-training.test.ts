import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';

let rafiki: RunningRafiki;
let study: number;

beforeAll(async () => {
  rafiki = await rafikiUp({ args: ['--workers', '3'] });
  await loadMails(rafiki.db, 'mail', 6000);
  const train = `
    select rafiki_train('text_classification', 'mail', families => '{char_rnn}', max_trials => 1, max_time => '10 min',
       workers_per_trial => 3, knobs => '{"epochs": 16, "hidden": 128}', seed => 7) as study`;
  const [row] = await rafiki.db.transaction(async (tx) => {
    await tx.query('set local rafiki.refit = off');
    return tx.query<{ study: number }>(train);
  });
  study = row!.study;
});
afterAll(() => rafiki.stop());

interface TeamMember {
  pid: number;
  role: 'leads' | 'joins' | 'trains';
}

/** The workers of the trial, once three of them train it. */
const wholeTeam = (): Promise<TeamMember[]> =>
  eventually(async () => {
    const team = await rafiki.db.query<TeamMember>('select pid, role from rafiki.trial_workers where study = $1', [
      study,
    ]);
    const training = team.filter(({ role }) => role === 'leads' || role === 'trains');
    return training.length === 3 ? team : undefined;
  }, 90_000);

const workerThat = async (role: TeamMember['role']): Promise<TeamMember> =>
  (await wholeTeam()).find((member) => member.role === role)!;

test('workers that are killed lose a round; another takes the place of the one that leads', async () => {
  const { pid } = await workerThat('trains');
  process.kill(pid, 'SIGKILL');
  await eventually(async () => (await wholeTeam()).every((member) => member.pid !== pid) || undefined);
  process.kill((await workerThat('leads')).pid, 'SIGKILL');
  await eventually(async () => {
    const [again] = await rafiki.db.query<{ attempt: number }>('select attempt from rafiki.trials where study = $1', [
      study,
    ]);
    return again?.attempt === 1 || undefined;
  });
  await wholeTeam();
  await rafiki.db.query('select rafiki_finish($1)', [study]); // it would go on for minutes
  const state = await eventually(async () => {
    const [row] = await rafiki.db.query<{ state: string }>('select state from rafiki.study where id = $1', [study]);
    return row?.state === 'running' ? undefined : row?.state;
  }, 240_000);
  expect(state).toBe('completed');
  const [trial] = await rafiki.db.query<{ attempt: number; score: number }>(
    'select attempt, score from rafiki.trial where study_id = $1',
    [study],
  );
  expect(trial?.attempt).toBe(1);
  expect(trial?.score).toBeGreaterThan(0.8);
});
