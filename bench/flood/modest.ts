import { createRng } from '../../src/runtime/rng.ts';
import { modulated } from '../serving/arrivals.ts';
import { openLoop } from '../serving/open-loop.ts';
import { type FloodStage, IMAGE_MODEL } from './stage.ts';

/** One call: whether the server counts it as overdue, and its time by the client's clock. */
export interface Asked {
  isOverdue: boolean;
  ms: number;
  failure: string | null;
}

const PER_SECOND = 20;
const SESSIONS = 4;

let salt = 0;

/** Single calls with new inputs, at a modest rate, each by one of a few sessions. */
export async function ask(stage: FloodStage, model: string, seconds: number): Promise<Asked[]> {
  const sessions = Array.from({ length: SESSIONS }, () => stage.connect());
  const query =
    model === IMAGE_MODEL
      ? `select rafiki_predict_detail('${model}', image || int4send($1)) as detail from bench_picture where id = 1 + $1 % 80`
      : `select rafiki_predict_detail('${model}', body || ' ' || $1::int) as detail from bench_text where id = 1 + $1 % 10000`;
  const one = async (): Promise<Omit<Asked, 'ms'>> => {
    const number = salt++;
    try {
      const [row] = await sessions[number % SESSIONS]!.query<{ detail: { overdue: boolean } }>(query, [number]);
      return { isOverdue: row?.detail.overdue !== false, failure: null };
    } catch (error) {
      return { isOverdue: true, failure: error instanceof Error ? error.message : String(error) };
    }
  };
  await Promise.all(sessions.map(one)); // connects, and warms the sessions up
  const load = { capacity: PER_SECOND / 1000, budgetMs: 50, lengthMs: 1000 * seconds };
  const arrivals = modulated(load, createRng(1), [{ rate: 1, stay: Number.MAX_SAFE_INTEGER }]);
  const calls = await openLoop(arrivals, one);
  await Promise.all(sessions.map((session) => session.stop()));
  return calls.map(({ ms, result }) => ({ ...result, ms }));
}
