import { setTimeout as sleep } from 'node:timers/promises';
import type { Rng } from '../../src/runtime/rng.ts';
import { processesOf, type VictimKind } from './processes.ts';
import type { LoadStage } from './stage.ts';

/** Not `up`, which no process restarts. */
const victims: readonly VictimKind[] = [
  'serving',
  'coordinator',
  'worker',
  'trial',
  'postmaster',
  'backend',
  'auxiliary',
];

/** Kills a random process of a random kind; undefined when none of that kind was running. */
export function killOne(stage: LoadStage, rng: Rng): VictimKind | undefined {
  const kind = victims[rng.below(victims.length)] ?? 'worker';
  const running = processesOf(stage.rafiki.process.pid ?? 0).filter((each) => each.kind === kind);
  const victim = running[rng.below(running.length)];
  return victim !== undefined && kill(victim.pid) ? kind : undefined;
}

/** Kills as many processes, with random pauses up to `pauseMs`. Returns the number of each kind. */
export async function killMany(
  stage: LoadStage,
  { kills, pauseMs, rng }: { kills: number; pauseMs: number; rng: Rng },
): Promise<Map<VictimKind, number>> {
  const killed = new Map<VictimKind, number>();
  for (let done = 0; done < kills; ) {
    await sleep(rng.uniform() * pauseMs);
    const kind = killOne(stage, rng);
    if (kind === undefined) continue;
    done++;
    killed.set(kind, (killed.get(kind) ?? 0) + 1);
    if (done % 10 === 0) process.stderr.write(`${done} killed\n`);
  }
  return killed;
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // it ended meanwhile
  }
}
