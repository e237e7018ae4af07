import { classification } from '../../src/domain/kinds/classification.ts';
import { ManualClock } from '../../src/runtime/clock.ts';
import { createRng, type Rng } from '../../src/runtime/rng.ts';
import type { Device, MemberOutput } from '../../src/serving/devices/device.ts';
import { ServedFleet } from '../../src/serving/policies/fleet.ts';
import { LatencyModel, measuredSizes } from '../../src/serving/policies/latency-model.ts';
import type { Subset } from '../../src/serving/policies/policy.ts';
import { ActiveRoles } from '../../src/serving/queue/active-roles.ts';
import { Batcher } from '../../src/serving/queue/batcher.ts';
import type { Arrivals } from './arrivals.ts';
import { simulatedPolicy } from './policies.ts';

/** A model as it is deployed: every member on every thread of one device, where they run one after another. */
export interface DeployedModel {
  /** By subset. */
  accuracy: readonly number[];
  /** c(m, b): what a batch really takes, ms. */
  latencyMs(member: number, rows: number): number;
  /** Batches that run in parallel. */
  threads: number;
}

/** What one session asks. */
export interface Load {
  arrivals: Arrivals;
  role: string;
}

export interface ServedSimulation {
  model: DeployedModel;
  budgetMs: number;
  loads: readonly Load[];
  /** The setting rafiki.on_overdue. */
  onOverdue: 'answer' | 'error';
  policy: string;
  /** Coefficient of variation of batch times. */
  noise: number;
  seed: number;
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

/**
 * The server's own queue, batcher, fleet and policy on simulated time, in front of a device that only waits. All
 * requests of one load are of one session; each asks about another input.
 */
export async function serve(simulation: ServedSimulation): Promise<ServedRun> {
  const { budgetMs, loads, onOverdue, policy, model, seed } = simulation;
  const clock = new ManualClock();
  const fleet = fleetOf(model);
  const device = new SimulatedDevice(simulation, clock, createRng(seed));
  const batcher = new Batcher({
    device,
    fleet,
    policy: simulatedPolicy(policy).create({ fleet, seed }),
    clock,
    activeRoles: new ActiveRoles(),
    answerMaker: classification.answers(['no', 'yes']),
    budgetMs,
    onBatch: () => undefined,
    onUnloaded: () => undefined,
    onAnswer: () => undefined,
  });
  const sessions = loads.map(() => ({}));
  const requests: ServedRequest[] = [];
  const ask = ({ load, arrivedMs }: Pick<ServedRequest, 'load' | 'arrivedMs'>): void => {
    const request: ServedRequest = { load, arrivedMs, answeredMs: null, isRefused: false, accuracy: 0 };
    const input = String(requests.push(request));
    const resolve = (): void => {
      request.answeredMs = clock.nowMs();
      request.accuracy = model.accuracy[device.subsetOf(input)] ?? 0;
    };
    const terms = { wantsDetail: false, deadlineMs: arrivedMs + budgetMs, budgetMs, isFirm: onOverdue === 'error' };
    const reject = (): void => {
      request.isRefused = true;
    };
    const asker = { role: loads[load]?.role ?? '', session: sessions[load] ?? {} };
    try {
      batcher.ask(input, { ...terms, ...asker }, { resolve, reject });
    } catch {
      reject();
    }
  };
  for (const arrival of inOrder(loads)) {
    await passUntil(clock, arrival.arrivedMs);
    ask(arrival);
    if (clock.nowMs() < arrival.arrivedMs) throw new Error('time stands still');
    await settled();
  }
  await passUntil(clock, Number.POSITIVE_INFINITY);
  return {
    requests,
    batches: device.batches,
    onTime: ({ arrivedMs, answeredMs }) => answeredMs !== null && answeredMs <= arrivedMs + budgetMs + ROUNDING_MS,
  };
}

/** As the server measures a model when it loads it. */
function fleetOf({ accuracy, latencyMs, threads }: DeployedModel): ServedFleet {
  const members = Array.from({ length: Math.log2(accuracy.length) }, (_, m) => m);
  const fleet = new ServedFleet({
    members: members.map((m) => ({ family: `family ${m}`, precision: 'float32' })),
    accuracy,
    servers: threads,
  });
  fleet.measured(
    members.map((m) => new LatencyModel(new Map(measuredSizes.map((rows) => [rows, latencyMs(m, rows)])))),
  );
  return fleet;
}

/** Everything that is due until then happens, each event with all its consequences before the next. */
async function passUntil(clock: ManualClock, ms: number): Promise<void> {
  while (clock.nextMs <= ms && clock.nextMs < Number.POSITIVE_INFINITY) {
    clock.advanceTo(clock.nextMs);
    await settled();
  }
  if (Number.isFinite(ms)) clock.advanceTo(ms);
}

/** The batcher dispatches in a callback of setImmediate that was set before this one. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function inOrder(loads: readonly Load[]): { load: number; arrivedMs: number }[] {
  const all = loads.flatMap(({ arrivals }, load) => Array.from(arrivals, (arrivedMs) => ({ load, arrivedMs })));
  return all.sort((a, b) => a.arrivedMs - b.arrivedMs);
}

/** A device whose batches take c(v, b) of simulated time. */
class SimulatedDevice implements Device {
  readonly isReady = true;
  readonly inlineRows = 0;
  readonly slots: number;
  batches = 0;
  readonly #model: DeployedModel;
  readonly #noise: number;
  readonly #clock: ManualClock;
  readonly #rng: Rng;
  /** Subsets of the inputs of the batches that have just ended, and of those that run. */
  readonly #subsets = new Map<string, Subset>();

  constructor({ model, noise }: ServedSimulation, clock: ManualClock, rng: Rng) {
    this.#model = model;
    this.#noise = noise;
    this.slots = model.threads;
    this.#clock = clock;
    this.#rng = rng;
  }

  subsetOf(input: string): Subset {
    const subset = this.#subsets.get(input) ?? 0;
    this.#subsets.delete(input);
    return subset;
  }

  async open(): Promise<boolean> {
    return true;
  }

  run(inputs: readonly string[], subset: Subset): Promise<MemberOutput[]> {
    this.batches++;
    for (const input of inputs) this.#subsets.set(input, subset);
    const members = Array.from({ length: Math.log2(this.#model.accuracy.length) }, (_, m) => m).filter(
      (m) => (subset & (1 << m)) !== 0,
    );
    const factor = this.#noise === 0 ? 1 : Math.max(0.5, 1 + this.#noise * this.#rng.normal());
    const ms = factor * members.reduce((sum, m) => sum + this.#model.latencyMs(m, inputs.length), 0);
    const output = Float32Array.from({ length: 2 * inputs.length }, (_, i) => (i % 2 === 0 ? 0.9 : 0.1));
    return new Promise((resolve) => this.#clock.after(ms, () => resolve(members.map(() => output))));
  }

  async release(): Promise<void> {}
}
