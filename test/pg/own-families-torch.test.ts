import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeCommand } from '../../src/families/sources.ts';
import { addFamilies } from '../../src/models/registry.ts';
import { stepsOf } from '../support/how-to.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';
import { eventually, studyEnd } from '../support/studies.ts';

/** The network in PyTorch of docs/howto/own-family.md, beside families of Rafiki. */
const python = '/usr/bin/python3';
const hasTorch = ((): boolean => {
  try {
    execFileSync(python, ['-c', 'import torch, onnx; onnx.load_model_from_string'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log(
      `${python} has no PyTorch with its ONNX exporter (python3-torch, python3-onnx): its family is not tested`,
    );
    return false;
  }
})();

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/howto/own-family.md'), 'utf8');
const script = stepsOf(page).find((step) => step.kind === 'create' && step.file.endsWith('.py'));

let folder: string;
let database: TestDatabase;
let processes: RunningProcesses | undefined;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rafiki-torch-'));
  if (script?.kind !== 'create') throw new Error('the page has no script');
  writeFileSync(path.join(folder, 'torch_mlp.py'), script.text);
  database = await createTestDatabase();
  await database.db.query(`
    create table people as
      select i as id, 18 + (i * 37) % 60 as age, (array['cook', 'clerk', 'poet', 'smith'])[1 + i % 4] as job,
        case when (18 + (i * 37) % 60) + 15 * (i % 2) > 52 then 'yes' else 'no' end as buys,
        1e5 + 100 * (i % 4) + (i * 37) % 60 as spends
      from generate_series(1, 400) i`);
});
afterAll(async () => {
  await processes?.stop();
  addFamilies([]);
  await database.drop();
  rmSync(folder, { recursive: true });
});

const trials = (study: number): Promise<{ family: string; state: string; attempt: number; score: number }[]> =>
  database.db.query(
    `select family, state, attempt, score from rafiki.trial where study_id = $1 and refits is null order by number`,
    [study],
  );

const pythons = (): number[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const [program, file] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return program === python && file === path.join(folder, 'torch_mlp.py');
      } catch {
        return false; // it has ended
      }
    })
    .map(Number);

test.runIf(hasTorch)(
  'trains beside families of Rafiki, is killed and resumed, and answers',
  async () => {
    const { db } = database;
    const command = `${python} ${path.join(folder, 'torch_mlp.py')}`;
    const source = await describeCommand({ command, path: '/usr/bin:/bin' });
    processes = await startProcesses(database.service, { sources: [source], checkpointEveryMs: 100 });
    const train = async (task: string, target: string, args: string): Promise<number> => {
      const sql = `select rafiki_train($1, 'people', $2::text, target => $2::text::name, features => '{age,job}', seed => 3, max_time => '10 min', ${args}) as id`;
      const [row] = await db.query<{ id: number }>(sql, [task, target]);
      return row!.id;
    };
    const id = await train(
      'tabular_classification',
      'buys',
      `families => '{linear,torch_mlp}', max_trials => 2, knobs => '{"epochs": 20}'`,
    );
    // its second checkpoint: the first one may be from before the first epoch was measured
    const running = `from rafiki.trial t where t.study_id = $1 and t.family = 'torch_mlp' and t.state = 'running' and t.refits is null`;
    await eventually(db, `select ${running} and t.checkpoint_id is not null`, [id]);
    const [first] = await db.query<{ checkpoint: number }>(`select t.checkpoint_id as checkpoint ${running}`, [id]);
    await eventually(db, `select ${running} and t.checkpoint_id <> $2`, [id, first?.checkpoint]);
    const [pid] = pythons();
    process.kill(pid as number, 'SIGKILL');
    expect(await studyEnd(db, id, 600_000)).toMatchObject({ state: 'completed', error: null });
    const [linear, torch] = await trials(id);
    expect(linear).toMatchObject({ family: 'linear', attempt: 0 });
    expect(linear?.score).toBeGreaterThan(0.85);
    expect(torch).toMatchObject({ family: 'torch_mlp', attempt: 1 });
    expect(torch?.score).toBeGreaterThan(0.85);
    const attempts = await db.query<{ attempt: number }>(
      `select distinct r.attempt from rafiki.report r join rafiki.trial t on t.id = r.trial_id
     where t.study_id = $1 and t.family = 'torch_mlp' and t.refits is null order by 1`,
      [id],
    );
    expect(attempts).toEqual([{ attempt: 0 }, { attempt: 1 }]); // epochs of the first attempt were not trained again
    const numbers = await train('tabular_regression', 'spends', `families => '{torch_mlp}', max_trials => 1`);
    expect(await studyEnd(db, numbers, 600_000)).toMatchObject({ state: 'completed', error: null });
    await db.query(`set rafiki.latency_budget = '30 s'`);
    const [answer] = await db.query<{ number: number }>(
      `select rafiki_predict_number('spends', '{"age": 30, "job": "cook"}') as number`,
    );
    expect(answer?.number).toBeGreaterThan(90_000);
    expect(pythons()).toEqual([]);
  },
  900_000,
);
