import { copyFileSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Accounts, accountTrials, auditTrials } from '../load/accounts.ts';
import { goesOn, type LoadStage, type LoadStageOptions, openStage } from '../load/stage.ts';
import { startLoad, type Workload } from '../load/workload.ts';

/** Until every loop of the load has begun. */
const BEFORE_MS = 5_000;

/** A fault of a running Rafiki. */
export interface SingleFault {
  name: string;
  /** The condition afterwards. */
  checks: string;
  run(): Promise<FaultVerdict>;
}

export interface FaultVerdict {
  /** Violations of the condition. */
  broken: string[];
  note: string;
}

/** The fault cannot be injected on this machine. */
export class FaultSkipped extends Error {}

/** Opens a stage, injects the fault under load, and returns violations. Those that `during` finds count too. */
export async function underLoad(
  options: LoadStageOptions,
  during: (stage: LoadStage, load: Workload) => Promise<string[] | undefined>,
): Promise<FaultVerdict> {
  const stage = await openStage(options);
  try {
    await auditTrials(stage.admin);
    const load = startLoad(stage);
    await sleep(BEFORE_MS);
    load.outcomes.disturbed(Number.POSITIVE_INFINITY); // the fault determines how long
    const found = (await during(stage, load)) ?? [];
    const { broken, note } = await verify(stage, load);
    return { broken: [...found, ...broken], note };
  } finally {
    await stage.stop();
  }
}

/** The conditions after every fault: answers were right, every session continues, each trial is accounted for. */
async function verify(stage: LoadStage, load: Workload): Promise<FaultVerdict> {
  await load.stop();
  const accounts = await accountTrials(stage.admin);
  const { wrong, stuck, unexpected } = load.outcomes;
  const broken = [
    ...some('wrong answers', wrong),
    ...some('sessions stuck', stuck),
    ...some('unexpected errors', unexpected),
    ...accounts.faults,
  ];
  broken.push(...(await goesOn(stage)));
  const note = `${summaryOf(accounts)}; ${load.outcomes.describe()}`;
  return broken.length === 0 ? { broken, note } : { broken, note: `${note}; logs: ${keepLogs(stage)}` };
}

/** Logs are copied, because the folder of a stage is deleted with it. */
function keepLogs({ rafiki: { dataDir } }: LoadStage): string {
  const kept = mkdtempSync(path.join(tmpdir(), 'rafiki-fault-logs-'));
  for (const name of ['rafiki.log', 'postgres.log']) {
    if (existsSync(path.join(dataDir, name))) copyFileSync(path.join(dataDir, name), path.join(kept, name));
  }
  return kept;
}

const some = (what: string, found: readonly string[]): string[] =>
  found.length === 0 ? [] : [`${found.length} ${what}, e.g. ${found[0]}`];

const summaryOf = ({ studies, trials, failedStudies, failedTrials }: Accounts): string =>
  `${studies} studies (${failedStudies} failed), ${trials} trials (${failedTrials} given up)`;
