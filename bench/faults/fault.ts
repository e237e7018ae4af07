import { copyFileSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Accounts, accountTrials, auditTrials } from '../load/accounts.ts';
import { goesOn, type LoadStage, type LoadStageOptions, openStage } from '../load/stage.ts';
import { startLoad, type Workload } from '../load/workload.ts';

/** For every loop of the load to have begun. */
const BEFORE_MS = 5_000;

/** One way to break a running Rafiki. */
export interface SingleFault {
  name: string;
  /** What must hold afterwards. */
  checks: string;
  run(): Promise<FaultVerdict>;
}

export interface FaultVerdict {
  /** What did not hold. */
  broken: string[];
  note: string;
}

/** This machine cannot make the fault. */
export class FaultSkipped extends Error {}

/** Opens a stage, breaks it under load, and says what did not hold. What `during` finds counts too. */
export async function underLoad(
  options: LoadStageOptions,
  during: (stage: LoadStage, load: Workload) => Promise<string[] | undefined>,
): Promise<FaultVerdict> {
  const stage = await openStage(options);
  try {
    await auditTrials(stage.admin);
    const load = startLoad(stage);
    await sleep(BEFORE_MS);
    load.outcomes.disturbed(Number.POSITIVE_INFINITY); // how long, the fault decides
    const found = (await during(stage, load)) ?? [];
    const { broken, note } = await judge(stage, load);
    return { broken: [...found, ...broken], note };
  } finally {
    await stage.stop();
  }
}

/** What every load must have come through: the answers were right, every session goes on, each trial is accounted for. */
async function judge(stage: LoadStage, load: Workload): Promise<FaultVerdict> {
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
  const note = `${told(accounts)}; ${load.outcomes.describe()}`;
  return broken.length === 0 ? { broken, note } : { broken, note: `${note}; logs: ${keepLogs(stage)}` };
}

/** The folder of a stage goes with it: what explains a failure is kept elsewhere. */
function keepLogs({ rafiki: { dataDir } }: LoadStage): string {
  const kept = mkdtempSync(path.join(tmpdir(), 'rafiki-fault-logs-'));
  for (const name of ['rafiki.log', 'postgres.log']) {
    if (existsSync(path.join(dataDir, name))) copyFileSync(path.join(dataDir, name), path.join(kept, name));
  }
  return kept;
}

const some = (what: string, found: readonly string[]): string[] =>
  found.length === 0 ? [] : [`${found.length} ${what}, e.g. ${found[0]}`];

const told = ({ studies, trials, failedStudies, failedTrials }: Accounts): string =>
  `${studies} studies (${failedStudies} failed), ${trials} trials (${failedTrials} given up)`;
