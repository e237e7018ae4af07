import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { splitRows } from '../../src/datasets/split.ts';
import { selectMemberParams } from '../../src/db/statements/models.ts';
import { unpackModel } from '../../src/params/model-codec.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { scoreIncumbent } from '../../src/training/incumbent.ts';
import { eventually, loadMails, type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import type { Figure } from '../figure.ts';

const WORKERS = 3;
const VALIDATION = 0.2;
/** Maximum time until the next kill, and until the study has ended. */
const PAUSE_MS = 2_000;
const PATIENCE_MS = 4 * 3_600_000;
/** Maximum difference between the score of the stored weights and the recorded one. */
const TOLERANCE = 1e-6;
const kinds = ['worker', 'worker', 'coordinator', 'postgres'] as const;

/** Kills random processes of a running Rafiki during a study of short trials, and checks the study afterwards. */
export async function* killsBench(kills: number): AsyncIterable<Figure> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-kills-'));
  const rafiki = await rafikiUp({ args: ['--workers', String(WORKERS)], dataDir });
  try {
    await loadMails(rafiki.db, 'mail', 600);
    const study = await begin(rafiki, kills);
    const killed = await killAround(rafiki, study, kills);
    await eventually(async () => ((await stateOf(rafiki, study)).ended ? true : undefined), PATIENCE_MS);
    yield* verify(rafiki, study, { kills, killed });
  } finally {
    await rafiki.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function begin({ db }: RunningRafiki, trials: number): Promise<number> {
  const [row] = await db.query<{ study: number }>(
    `select rafiki_train('text_classification', 'mail', model => 'killed', families => array['fasttext'], advisor => 'random',
       knobs => '{"epochs": {"min": 4, "max": 6}}', max_trials => $1, max_time => '4 hours', validation => $2, seed => 1) as study`,
    [trials, VALIDATION],
  );
  return row?.study ?? 0;
}

async function stateOf({ db }: RunningRafiki, study: number): Promise<{ ended: boolean; state: string }> {
  const [row] = await db.query<{ ended: boolean; state: string }>(
    'select ended_at is not null as ended, state from rafiki.study where id = $1',
    [study],
  );
  return row ?? { ended: true, state: 'gone' };
}

/** How many processes were killed before the study ended. */
async function killAround(rafiki: RunningRafiki, study: number, kills: number): Promise<number> {
  const rng = createRng(kills);
  let killed = 0;
  while (killed < kills) {
    await sleep(rng.uniform() * PAUSE_MS);
    const kind = kinds[rng.below(kinds.length)] ?? 'worker';
    try {
      if ((await stateOf(rafiki, study)).ended) break;
      const pids = kind === 'postgres' ? [await postmaster(rafiki)] : await rafiki.pids(kind);
      const pid = pids.at(-1 - rng.below(Math.min(WORKERS, pids.length)));
      if (pid === undefined) continue;
      process.kill(pid, 'SIGKILL');
      killed++;
      process.stderr.write(`${killed} ${kind}\n`);
    } catch {
      // Postgres is down, or the process had ended: continues with the next one
    }
  }
  return killed;
}

async function postmaster({ admin }: RunningRafiki): Promise<number> {
  const [row] = await admin.query<{ pid: number }>(
    `select split_part(pg_read_file('postmaster.pid'), e'\\n', 1)::int as pid`,
  );
  return row?.pid ?? process.pid;
}

async function* verify(
  { admin, db }: RunningRafiki,
  study: number,
  { kills, killed }: { kills: number; killed: number },
): AsyncIterable<Figure> {
  const figure = (name: string, value: number, ok: boolean, note: string): Figure => ({
    bench: 'tuning',
    name: `kills-${name}`,
    value,
    unit: '',
    ok,
    note,
  });
  yield figure('kills', killed, killed === kills, 'processes killed while the study ran');
  const [trials] = await db.query<{ made: number; ended: number; numbers: number; scored: number; best: number }>(
    `select count(*)::int as made, count(ended_at)::int as ended, max(number) as numbers,
       count(*) filter (where state in ('completed', 'stopped'))::int as scored, max(score) as best
     from rafiki.trial where study_id = $1 and refits is null`,
    [study],
  );
  const { made = 0, ended = 0, numbers = 0, scored = 0 } = trials ?? {};
  yield figure('trials', made, made === kills && ended === kills && numbers === kills, 'trials made, each ended once');
  yield figure('scored', scored, scored > 0, 'of them with a score; the others were given up after three attempts');
  const [version] = await db.query<{ id: number; score: number }>(
    'select id, score from rafiki.model_version where study_id = $1',
    [study],
  );
  if (version === undefined) return;
  const rows = await db.query<{ label: string; input: string }>('select label, body as input from mail');
  const params = new PostgresParamStore({ database: admin });
  const stored = await selectMemberParams(admin, version.id);
  const members = await Promise.all(
    stored.map(async ({ id, ...weight }) => ({ model: unpackModel(await params.load(id)), ...weight })),
  );
  const [{ rule = 'vote' } = {}] = stored;
  const task = 'text_classification';
  const data = splitRows(rows, { task, validation: VALIDATION });
  const again = await scoreIncumbent({ members, rule }, { task, data, threads: 1 });
  const error = Math.abs(again - version.score);
  yield figure(
    'reproduced',
    error,
    error <= TOLERANCE,
    `score ${version.score.toFixed(6)} from the stored weights: difference`,
  );
}
