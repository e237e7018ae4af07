import { setTimeout as sleep } from 'node:timers/promises';
import { createRng } from '../../src/runtime/rng.ts';
import { Outcomes } from './outcomes.ts';
import { predictOnce } from './predictions.ts';
import { LoadSession } from './session.ts';
import type { LoadStage } from './stage.ts';

export interface Workload {
  outcomes: Outcomes;
  /** Every session calls once more until it has an answer; then all of them close. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** Sessions that predict. */
  sessions?: number;
  trainings?: boolean;
  deploys?: boolean;
}

const PAUSE_MS = 50;
const DEPLOY_MS = 5_000;
const LOOK_MS = 500;
const STUDY_MS = 600_000;
/** How long the last calls may take, after the last fault. */
const LAST_CALL_MS = 90_000;

/** Predictions, attached inserts, short trainings, deploys and drops, concurrently, each in a session of its own. */
export function startLoad(
  stage: LoadStage,
  { sessions = 4, trainings = true, deploys = true }: LoadOptions = {},
): Workload {
  const outcomes = new Outcomes();
  const ending = new AbortController();
  const options = { url: stage.clientUrl, outcomes };
  const all: LoadSession[] = [];
  const open = (name: string): LoadSession => {
    const session = new LoadSession(name, options);
    all.push(session);
    return session;
  };
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: ending.signal }).catch(() => undefined);
  const repeat = async (once: () => Promise<void>, pauseMs: number): Promise<void> => {
    while (!ending.signal.aborted) {
      await once();
      await pause(pauseMs);
    }
  };
  const loops = Array.from({ length: sessions }, (_, i) => {
    const turn = { stage, session: open(`predicting ${i + 1}`), outcomes, rng: createRng(i + 1) };
    return repeat(() => predictOnce(turn), PAUSE_MS);
  });
  if (deploys) loops.push(repeat(deploysOf(open('deploying')), DEPLOY_MS));
  if (trainings)
    loops.push(repeat(trainingsOf(open('training'), { outcomes, pause, signal: ending.signal }), PAUSE_MS));
  return {
    outcomes,
    async stop() {
      ending.abort();
      await Promise.all(loops);
      await Promise.all(all.map((session) => lastCall(session, outcomes)));
      await Promise.all(all.map((session) => session.close()));
    },
  };
}

function deploysOf(session: LoadSession): () => Promise<void> {
  let turn = 0;
  return async () => {
    turn++;
    // the predecessor of version 2 is version 1
    if (turn % 3 === 0)
      await session.call(
        'rollback',
        `select rafiki_rollback('turning')
      where exists (select from rafiki.deployments where model = 'turning' and version = 2 and state = 'ready')`,
      );
    else await session.call('deploy', `select rafiki_deploy('turning', $1)`, [1 + (turn % 2)]);
  };
}

interface RunningLoops {
  outcomes: Outcomes;
  pause(ms: number): Promise<void>;
  signal: AbortSignal;
}

/** One study of two trials after another; its model answers once and is dropped. */
function trainingsOf(session: LoadSession, { outcomes, pause, signal }: RunningLoops): () => Promise<void> {
  let turn = 0;
  return async () => {
    const model = `short_${++turn}`;
    const [begun] =
      (await session.call<{ study: string }>(
        'train',
        `select rafiki_train('text_classification', 'mail', model => $1, families => '{fasttext}', max_trials => 2,
           knobs => '{"epochs": {"min": 4, "max": 6}}', max_time => '10 min', seed => $2) as study`,
        [model, turn],
      )) ?? [];
    if (begun === undefined) return;
    const deadline = performance.now() + STUDY_MS;
    let end: string | undefined;
    while (end === undefined) {
      if (signal.aborted) return;
      await pause(LOOK_MS);
      const sql = 'select state from rafiki.studies where study = $1';
      const [study] = (await session.call<{ state: string }>('look', sql, [begun.study])) ?? [];
      if (study !== undefined && study.state !== 'queued' && study.state !== 'running') end = study.state;
      if (end !== undefined || performance.now() < deadline) continue;
      outcomes.stuck.push(`study ${begun.study} has not ended within ${STUDY_MS / 1000} s`);
      break;
    }
    if (end !== 'completed') return; // it has no model; failed studies are counted
    await session.call('first', `select rafiki_predict($1, 'free money') as label`, [model]);
    await session.call('drop', 'select rafiki_drop_model($1)', [model]);
  };
}

async function lastCall(session: LoadSession, outcomes: Outcomes): Promise<void> {
  const deadline = performance.now() + LAST_CALL_MS;
  while ((await session.call('last', `select rafiki_predict('steady', 'free money')`)) === undefined) {
    if (performance.now() < deadline) continue;
    outcomes.stuck.push(`${session.name} has no answer ${LAST_CALL_MS / 1000} s after the last fault`);
    return;
  }
}
