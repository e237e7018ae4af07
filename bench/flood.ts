import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Figure } from './figure.ts';
import { Flood, floods } from './flood/flooder.ts';
import { type Asked, ask } from './flood/modest.ts';
import { type FloodStage, IMAGE_MODEL, startFloodStage, TEXT_MODEL } from './flood/stage.ts';
import { hasPgbench, howToGetPgbench } from './predict/clients.ts';
import { mean, quantile } from './serving/statistics.ts';

/** Minimum share of another role's calls that must be answered in time during a flood. */
const MIN_IN_TIME = 0.99;
const BUDGET_MS = 50;
/** Time from the beginning of a flood to the first call that counts. */
const RISE_MS = 3000;

/** One role floods, in every form, while another makes single calls: how many of these are in time. */
export async function* floodBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  if (!(await hasPgbench())) {
    yield { bench: 'flood', name: 'flood', value: 0, unit: 'calls', ok: null, note: howToGetPgbench };
    return;
  }
  const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  let stage: FloodStage | undefined;
  try {
    stage = await startFloodStage(dataDir);
    const seconds = quick ? 5 : 20;
    yield* figures('quiet', await both(stage, seconds));
    for (const [name, script] of Object.entries(floods)) yield* flooded(stage, name, { ...script, seconds });
  } finally {
    await stage?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function* flooded(
  stage: FloodStage,
  name: string,
  { seconds, ...script }: (typeof floods)[string] & { seconds: number },
): AsyncIterable<Figure> {
  const flood = new Flood(stage.flooderUrl, script, RISE_MS / 1000 + 2 * seconds);
  await new Promise((resolve) => setTimeout(resolve, RISE_MS));
  const asked = await both(stage, seconds);
  const done = await flood.end();
  yield* figures(name, asked, `${done} ${script.unit} meanwhile`);
}

async function both(stage: FloodStage, seconds: number): Promise<Record<string, Asked[]>> {
  return {
    text: await ask(stage, TEXT_MODEL, seconds),
    image: await ask(stage, IMAGE_MODEL, seconds),
  };
}

function* figures(name: string, asked: Record<string, Asked[]>, note = ''): Iterable<Figure> {
  for (const [input, calls] of Object.entries(asked)) {
    const share = mean(calls.map(({ isOverdue }) => (isOverdue ? 0 : 1)));
    const walls = calls.map(({ ms }) => ms);
    const seen = mean(walls.map((ms) => (ms <= BUDGET_MS ? 1 : 0)));
    const failed = calls.filter(({ failure }) => failure !== null);
    yield {
      bench: 'flood',
      name: `flood-${name}-${input}`,
      value: share,
      unit: 'in time',
      bar: MIN_IN_TIME,
      ok: share >= MIN_IN_TIME,
      note: [
        `of ${calls.length} calls; by the client's clock ${seen.toFixed(3)}, median ${quantile(walls, 0.5).toFixed(1)} ms, p99 ${quantile(walls, 0.99).toFixed(1)} ms`,
        ...(failed.length === 0 ? [] : [`${failed.length} failed: ${failed[0]?.failure}`]),
        ...(note === '' ? [] : [note]),
      ].join('; '),
    };
  }
}
