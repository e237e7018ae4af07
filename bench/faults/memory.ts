import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../test/support/rafiki-up.ts';
import { kill } from '../load/kills.ts';
import type { LoadStage } from '../load/stage.ts';
import { type SingleFault, underLoad } from './fault.ts';

const LOOK_MS = 20;
const STUDY_MS = 180_000;
/** Added to its current address space; far less than training takes. */
const ROOM_KB = 32_768;
/** Of a Node process that has started: one that is limited earlier hangs in V8's start. */
const STARTED_KB = 700_000;

/** The kernel kills the process that uses too much. */
export const trialKilled = outOfMemory('trial-oom-killed', 'each training process killed as the kernel does', (pid) =>
  kill(pid),
);

/** With limited memory, an allocation fails. */
export const trialRefused = outOfMemory('trial-no-memory', 'each training process without room to allocate', (pid) => {
  const size = Number(/^VmSize:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  if (size < STARTED_KB) return false;
  execFileSync('prlimit', ['--pid', String(pid), `--as=${(size + ROOM_KB) * 1024}`]);
  return true;
});

function outOfMemory(name: string, checks: string, act: (pid: number) => boolean): SingleFault {
  return {
    name,
    checks: `${checks}: the trial fails with its reason, the same workers continue`,
    run: () =>
      underLoad({}, async (stage) => {
        const workers = stage.pids('worker').join();
        const study = await begin(stage);
        const ended = new AbortController();
        const hunting = hunt(stage, act, ended.signal);
        const found = await reasonOf(stage, study).catch((error: Error) => [`the study did not end: ${error.message}`]);
        ended.abort();
        await hunting;
        if (stage.pids('worker').join() !== workers) found.push('a worker ended');
        return found;
      }),
  };
}

async function begin({ db }: LoadStage): Promise<number> {
  const [row] = await db.query<{ study: number }>(
    `select rafiki_train('text_classification', 'mail', model => 'too_large', families => '{fasttext}', max_trials => 1,
       max_time => '5 min', seed => 9) as study`,
  );
  return row?.study ?? 0;
}

/** Acts once on each training process, as soon as `act` returns true. */
async function hunt(stage: LoadStage, act: (pid: number) => boolean, signal: AbortSignal): Promise<void> {
  const seen = new Set<number>();
  while (!signal.aborted) {
    for (const pid of stage.pids('trial')) {
      if (seen.has(pid)) continue;
      try {
        if (act(pid)) seen.add(pid);
      } catch {
        // it ended meanwhile
      }
    }
    await sleep(LOOK_MS);
  }
}

/** Violations in the ends of the study and its trial. */
async function reasonOf({ db }: LoadStage, study: number): Promise<string[]> {
  const trial = await eventually(async () => {
    const [row] = await db.query<{ state: string; error: { message?: string; hint?: string } | null }>(
      'select state, error from rafiki.trial where study_id = $1 and ended_at is not null',
      [study],
    );
    return row;
  }, STUDY_MS);
  process.stderr.write(`trial: ${trial.state}, ${JSON.stringify(trial.error)}\n`);
  const hasReason = trial.state === 'failed' && /memory|alloc/i.test(JSON.stringify(trial.error));
  return hasReason ? [] : [`the trial ended as ${trial.state}: ${JSON.stringify(trial.error)}`];
}
