import { createRng } from '../../src/runtime/rng.ts';
import type { Figure } from '../figure.ts';
import { type Arrivals, modulated, sine } from './arrivals.ts';
import { hasImages, type ImageStage, MODEL, startImageStage } from './image-stage.ts';
import { type ModelCall, openLoop } from './open-loop.ts';
import { servingMemoryMb } from './serving-process.ts';
import { mean, quantile } from './statistics.ts';
import { figure } from './table.ts';

const BUDGET_MS = 500;
/** A call that is refused or answered later than its budget and this is a fault. */
const GRACE_MS = 20;
const OVERLOAD = 3;
/** Maximum growth of memory. */
const FLAT = 1.1;
/** Mean of the sine in r_u. */
const SINE_MEAN = 0.5764;

interface TimedAnswer {
  /** Null if the call was refused. */
  isRight: boolean | null;
}

/** The real server over SQL: three image models, open loop, under the sine and at three times its capacity. */
export async function* realFigures({ minutes }: { minutes: number }): AsyncIterable<Figure> {
  if (!hasImages) {
    yield { ...figure('real', 0, 'calls', {}), note: 'no images: point RAFIKI_DATA at a folder with cifar10' };
    return;
  }
  const stage = await startImageStage('planner');
  try {
    const capacity = await measureCapacity(stage);
    yield { ...figure('real-capacity', 1000 * capacity, 'calls/s', {}), note: 'closed loop, whole ensemble' };
    yield* sineFigures(stage, capacity, minutes);
    yield* overloadFigures(stage, capacity, minutes);
  } finally {
    await stage.stop();
  }
}

/** Calls per millisecond of 16 sessions without pauses, with a generous budget. */
async function measureCapacity(stage: ImageStage): Promise<number> {
  const endMs = performance.now() + 8000;
  let calls = 0;
  const session = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await ask(stage, { dueMs: performance.now(), budgetMs: 60_000, onOverdue: 'answer' });
      calls++;
    }
  };
  await Promise.all(Array.from({ length: 16 }, session));
  return calls / 8000;
}

async function* sineFigures(stage: ImageStage, capacity: number, minutes: number): AsyncIterable<Figure> {
  // one cycle, and a mean of 80 % of what the whole ensemble can do
  const lengthMs = minutes * 60_000;
  const load = { capacity, budgetMs: lengthMs / 500, lengthMs };
  const calls = await openLoop(sine(load, createRng(1), 0.8 / SINE_MEAN), (dueMs) =>
    ask(stage, { dueMs, budgetMs: BUDGET_MS, onOverdue: 'answer' }),
  );
  const [all = 0, best = 0] = [stage.accuracies.at(-1), stage.accuracies[1]];
  const overdue = mean(calls.map(({ ms }) => (ms > BUDGET_MS ? 1 : 0)));
  yield { ...figure('real-sine-overdue', overdue, 'of all', { max: 0.01 }), note: `${calls.length} calls` };
  const [high, low] = [true, false].map((isHigh) => calls.filter((call) => isFirstHalf(call, lengthMs) === isHigh));
  yield {
    ...figure('real-sine-accuracy-low', rightShare(low ?? []), 'right', {}),
    note: `ensemble on validation rows ${all.toFixed(3)}`,
  };
  yield {
    ...figure('real-sine-accuracy-high', rightShare(high ?? []), 'right', {}),
    note: `best member on validation rows ${best.toFixed(3)}`,
  };
}

async function* overloadFigures(stage: ImageStage, capacity: number, minutes: number): AsyncIterable<Figure> {
  const lengthMs = (minutes * 60_000) / 3;
  const goodput: number[] = [];
  for (const rate of [1, OVERLOAD]) {
    const early = memoryLater(stage, lengthMs / 4);
    const arrivals: Arrivals = modulated({ capacity, budgetMs: BUDGET_MS, lengthMs }, createRng(rate), [
      { rate, stay: Number.MAX_SAFE_INTEGER },
    ]);
    const calls = await openLoop(arrivals, (dueMs) => ask(stage, { dueMs, budgetMs: BUDGET_MS, onOverdue: 'error' }));
    const good = calls.filter(({ ms, result }) => result.isRight !== null && ms <= BUDGET_MS + GRACE_MS).length;
    goodput.push((1000 * good) / lengthMs);
    if (rate === 1) continue;
    const late = mean(calls.map(({ ms }) => (ms > BUDGET_MS + GRACE_MS ? 1 : 0)));
    const p99 = quantile(
      calls.map(({ ms }) => ms),
      0.99,
    ).toFixed(0);
    yield {
      ...figure('real-overload-late', late, 'of all', { max: 0 }),
      note: `answered or refused after the budget + 20 ms; p99 ${p99} ms`,
    };
    const [value, peerValue] = [await servingMemoryMb(stage.rafiki.db), await early];
    const ratio = value / peerValue;
    const peer = { peer: 'after a quarter of it', peerValue, ratio, bar: FLAT, ok: ratio <= FLAT };
    yield { bench: 'serving', name: 'real-overload-memory', value, unit: 'MB', ...peer, note: 'resident, of serving' };
  }
  const [once = 0, thrice = 0] = goodput;
  const peer = { peer: 'at capacity', peerValue: once, ratio: thrice / once, bar: 0.9, ok: thrice / once >= 0.9 };
  yield { bench: 'serving', name: 'real-overload-goodput', value: thrice, unit: 'calls/s', ...peer };
}

async function memoryLater({ rafiki }: ImageStage, ms: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return servingMemoryMb(rafiki.db);
}

let salt = 0;

/** How a call is made: when it was due, its budget from then, and whether late answers are returned. */
interface CallTerms {
  dueMs: number;
  budgetMs: number;
  onOverdue: 'answer' | 'error';
}

/** One call with a new image: other bytes are appended to it, which its decoder does not read. */
async function ask(stage: ImageStage, { dueMs, budgetMs, onOverdue }: CallTerms): Promise<TimedAnswer> {
  const number = salt++;
  const image = stage.asked[number % stage.asked.length];
  const query = `
    select rafiki_predict('${MODEL}', image || int4send($2), $3 * interval '1 ms') as label
    from bench_image, set_config('rafiki.on_overdue', $4, false) where id = $1`;
  const deadlineMs = dueMs + budgetMs;
  const untilMs = onOverdue === 'error' ? deadlineMs : Number.POSITIVE_INFINITY;
  const answer = await stage.withSession<TimedAnswer>(untilMs, async (session) => {
    const leftMs = deadlineMs - performance.now(); // a session may not have been free immediately
    try {
      const values = [image?.id, number, Math.max(1, leftMs), onOverdue];
      const [row] = await session.query<{ label: string | null }>(query, values);
      return { isRight: row?.label === image?.label };
    } catch {
      return { isRight: null };
    }
  });
  return answer ?? { isRight: null };
}

const isFirstHalf = ({ arrivedMs }: ModelCall<TimedAnswer>, lengthMs: number): boolean => arrivedMs < lengthMs / 2;

const rightShare = (calls: readonly ModelCall<TimedAnswer>[]): number =>
  mean(calls.map(({ result }) => (result.isRight === true ? 1 : 0)));
