import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidParameter } from '../src/errors/errors.ts';
import { createRng } from '../src/runtime/rng.ts';
import type { Figure } from './figure.ts';
import { type Accounts, accountTrials, auditTrials } from './load/accounts.ts';
import { killOne } from './load/kills.ts';
import { goesOn, type LoadStage, openStage } from './load/stage.ts';
import { startLoad, type Workload } from './load/workload.ts';
import { experimentsDir } from './results.ts';
import { report, type SoakResult, type TimedMoment, trends } from './soak/report.ts';
import { isJudged, Sampler } from './soak/sampling.ts';

export interface SoakOptions {
  hours?: string | undefined;
  /** A short soak. */
  minutes?: string | undefined;
}

/** Moments of one soak: more would make the slopes slow and the file large. */
const MOMENTS = 480;
const MIN_PAUSE_MS = 2_000;
const KILL_EVERY_MS = 60_000;
/** Stretches with kills alternate with calm ones, in which a process lives long enough to show a leak. */
const STRETCH_MS = 900_000;

/** Mixed load for hours with kills in between: memory, connections, files, rows and disk must not grow. */
export async function* soakBench({ hours, minutes }: SoakOptions): AsyncIterable<Figure> {
  const duration = minutes === undefined ? Number(hours) * 60 : Number(minutes);
  if (!(duration > 0)) throw new InvalidParameter('bench soak takes --hours N or --minutes N');
  // a limit that is reached within a tenth of the time
  const stage = await openStage({ env: { RAFIKI_CACHE_LIMIT: '16MB' } });
  try {
    await auditTrials(stage.admin);
    const load = startLoad(stage);
    const { moments, kills } = await watch(stage, load, duration * 60_000);
    await load.stop();
    const accounts = await accountTrials(stage.admin);
    accounts.faults.push(...(await goesOn(stage)));
    const command = `npm run -s bench -- soak ${minutes === undefined ? `--hours ${hours}` : `--minutes ${minutes}`}`;
    const result = { minutes: duration, moments, kills, outcomes: load.outcomes, accounts, command };
    report(result);
    yield* figures(result, load, accounts);
  } finally {
    await stage.stop();
  }
}

async function watch(
  stage: LoadStage,
  { outcomes }: Workload,
  durationMs: number,
): Promise<Pick<SoakResult, 'moments' | 'kills'>> {
  const sampler = await Sampler.on(stage);
  const file = path.join(experimentsDir, 'soak.csv');
  writeFileSync(file, `seconds,${sampler.series.join(',')}\n`);
  const rng = createRng(1);
  const moments: TimedMoment[] = [];
  const pauseMs = Math.max(MIN_PAUSE_MS, durationMs / MOMENTS);
  const startMs = performance.now();
  let kills = 0;
  let killAtMs = KILL_EVERY_MS;
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - startMs) {
    const moment = await sampler.measure();
    moments.push({ seconds: elapsedMs / 1000, moment });
    const values = sampler.series.map((each) => moment[each] ?? null);
    appendFileSync(file, `${[elapsedMs / 1000, ...values].map(cell).join(',')}\n`);
    const isCalm = Math.floor(elapsedMs / STRETCH_MS) % 2 === 1;
    if (!isCalm && elapsedMs >= killAtMs && killOne(stage, rng) !== undefined) {
      outcomes.disturbed();
      kills++;
      killAtMs = elapsedMs + KILL_EVERY_MS;
    }
    await sleep(pauseMs);
  }
  return { moments, kills };
}

const cell = (value: number | null): string => (value === null ? '' : String(Math.round(value * 100) / 100));

function* figures(result: SoakResult, { outcomes }: Workload, { faults }: Accounts): Iterable<Figure> {
  const figure = (name: string, value: number, ok: boolean, note: string): Figure => ({
    bench: 'soak',
    name,
    value,
    unit: '',
    ok,
    note,
  });
  yield figure('calls', outcomes.total, outcomes.total > 0, outcomes.describe());
  yield figure('wrong', outcomes.wrong.length, outcomes.wrong.length === 0, outcomes.wrong.slice(0, 3).join('; '));
  yield figure('stuck', outcomes.stuck.length, outcomes.stuck.length === 0, outcomes.stuck.slice(0, 3).join('; '));
  const { unexpected } = outcomes;
  yield figure('unexpected', unexpected.length, unexpected.length === 0, unexpected.slice(0, 3).join('; '));
  yield figure('accounts', faults.length, faults.length === 0, faults.slice(0, 3).join('; '));
  for (const [series, { drift, noise, median, ok }] of trends(result)) {
    if (!isJudged(series) || (median === 0 && drift === 0)) continue;
    yield figure(series, median, ok, `median; drift ${drift.toPrecision(3)}, noise ${noise.toPrecision(3)}`);
  }
}
