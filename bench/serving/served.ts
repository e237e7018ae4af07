import type { Subset } from '../../src/serving/policies/policy.ts';
import type { Arrivals } from './arrivals.ts';
import { type BudgetedModel, ServedMachine, type ServedMachineOptions } from './served-machine.ts';

/** What one session asks. */
export interface Load {
  arrivals: Arrivals;
  role: string;
  /** The place of the model that it asks; the first by default. */
  model?: number;
}

export interface ServedSimulation extends ServedMachineOptions {
  loads: readonly Load[];
}

/** A request; times are from the beginning. */
export interface ServedRequest {
  /** The place of its load. */
  load: number;
  arrivedMs: number;
  /** Null without an answer. */
  answeredMs: number | null;
  isRefused: boolean;
  /** Of the subset that answered. */
  accuracy: number;
}

export interface ServedRun {
  requests: readonly ServedRequest[];
  batches: number;
  onTime(request: ServedRequest): boolean;
}

/** How much later than its deadline an answer may come: rounding. */
const ROUNDING_MS = 1e-6;

/** All requests of one load are of one session; each asks about another input. */
export async function serve({ loads, ...options }: ServedSimulation): Promise<ServedRun> {
  const machine = new ServedMachine(options);
  const modelOf = ({ model = 0 }: Load): BudgetedModel => options.models[model] as BudgetedModel;
  const sessions = loads.map(({ role, model = 0 }) => ({ role, model, session: {} }));
  const requests: ServedRequest[] = [];
  const ask = (load: number, arrivedMs: number): void => {
    const request: ServedRequest = { load, arrivedMs, answeredMs: null, isRefused: false, accuracy: 0 };
    const resolve = (subset: Subset): void => {
      request.answeredMs = machine.clock.nowMs();
      request.accuracy = modelOf(loads[load]!).model.accuracy[subset] ?? 0;
    };
    const reject = (): void => {
      request.isRefused = true;
    };
    machine.ask(String(requests.push(request)), sessions[load]!, { resolve, reject });
  };
  for (const { load, arrivedMs } of inOrder(loads)) {
    while (machine.clock.nextMs <= arrivedMs) await machine.next();
    machine.clock.advanceTo(arrivedMs);
    ask(load, arrivedMs);
    await machine.settled();
  }
  while (await machine.next());
  const onTime = ({ load, arrivedMs, answeredMs }: ServedRequest): boolean =>
    answeredMs !== null && answeredMs <= arrivedMs + modelOf(loads[load]!).budgetMs + ROUNDING_MS;
  return { requests, batches: machine.batches, onTime };
}

function inOrder(loads: readonly Load[]): { load: number; arrivedMs: number }[] {
  const all = loads.flatMap(({ arrivals }, load) => Array.from(arrivals, (arrivedMs) => ({ load, arrivedMs })));
  return all.sort((a, b) => a.arrivedMs - b.arrivedMs);
}
