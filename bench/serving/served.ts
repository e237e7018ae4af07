import { classification } from '../../src/domain/kinds/classification.ts';
import { ManualClock } from '../../src/runtime/clock.ts';
import { createRng, type Rng } from '../../src/runtime/rng.ts';
import type { Device, MemberOutput } from '../../src/serving/devices/device.ts';
import { type Job, JobQueue } from '../../src/serving/devices/job-queue.ts';
import type { BatchRoles } from '../../src/serving/devices/work.ts';
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
 * The server's own queue, batcher, fleet and policy on simulated time, in front of threads that only wait. All requests
 * of one load are of one session; each asks about another input.
 */
export async function serve({ loads, ...options }: ServedSimulation): Promise<ServedRun> {
  const { budgetMs, model } = options;
  const queue = new ServedQueue(options);
  const sessions = loads.map(({ role }) => ({ role, session: {} }));
  const requests: ServedRequest[] = [];
  const ask = (load: number, arrivedMs: number): void => {
    const request: ServedRequest = { load, arrivedMs, answeredMs: null, isRefused: false, accuracy: 0 };
    const resolve = (subset: Subset): void => {
      request.answeredMs = queue.clock.nowMs();
      request.accuracy = model.accuracy[subset] ?? 0;
    };
    const reject = (): void => {
      request.isRefused = true;
    };
    queue.ask(String(requests.push(request)), sessions[load]!, { resolve, reject });
  };
  for (const { load, arrivedMs } of inOrder(loads)) {
    while (queue.clock.nextMs <= arrivedMs) await queue.next();
    queue.clock.advanceTo(arrivedMs);
    ask(load, arrivedMs);
    await settled();
  }
  while (await queue.next());
  const onTime = ({ arrivedMs, answeredMs }: ServedRequest): boolean =>
    answeredMs !== null && answeredMs <= arrivedMs + budgetMs + ROUNDING_MS;
  return { requests, batches: queue.batches, onTime };
}

/** One deployed model on simulated time. */
export class ServedQueue {
  readonly clock = new ManualClock();
  readonly #options: Omit<ServedSimulation, 'loads'>;
  readonly #device: SimulatedDevice;
  readonly #batcher: Batcher;

  constructor(options: Omit<ServedSimulation, 'loads'>) {
    const { budgetMs, policy, model, seed } = options;
    const fleet = fleetOf(model);
    this.#options = options;
    this.#device = new SimulatedDevice(options, this.clock, createRng(seed));
    this.#batcher = new Batcher({
      device: this.#device,
      fleet,
      policy: simulatedPolicy(policy).create({ fleet, seed }),
      clock: this.clock,
      activeRoles: new ActiveRoles(),
      answerMaker: classification.answers(['no', 'yes']),
      budgetMs,
      onBatch: () => undefined,
      onUnloaded: () => undefined,
      onAnswer: () => undefined,
    });
  }

  get batches(): number {
    return this.#device.batches;
  }

  /** Asks now; the answer is the subset that gave it. */
  ask(
    input: string,
    { role, session }: { role: string; session: object },
    { resolve, reject }: { resolve(subset: Subset): void; reject(): void },
  ): void {
    const { budgetMs, onOverdue } = this.#options;
    const deadlineMs = this.clock.nowMs() + budgetMs;
    const terms = { wantsDetail: false, deadlineMs, budgetMs, isFirm: onOverdue === 'error', role, session };
    try {
      this.#batcher.ask(input, terms, { resolve: () => resolve(this.#device.subsetOf(input)), reject });
    } catch {
      reject();
    }
  }

  /** The next event with all its consequences; returns false if there is none. */
  async next(): Promise<boolean> {
    await settled();
    if (this.clock.nextMs === Number.POSITIVE_INFINITY) return false;
    this.clock.advanceTo(this.clock.nextMs);
    await settled();
    return true;
  }
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

/** The batcher dispatches in a callback of setImmediate that was set before this one. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function inOrder(loads: readonly Load[]): { load: number; arrivedMs: number }[] {
  const all = loads.flatMap(({ arrivals }, load) => Array.from(arrivals, (arrivedMs) => ({ load, arrivedMs })));
  return all.sort((a, b) => a.arrivedMs - b.arrivedMs);
}

interface SimulatedJob extends Job {
  ms: number;
  end(): void;
}

/** The server's threads, whose batches take c(v, b) of simulated time. */
class SimulatedDevice implements Device {
  readonly isReady = true;
  readonly inlineRows = 0;
  readonly slots: number;
  batches = 0;
  readonly #model: DeployedModel;
  readonly #noise: number;
  readonly #clock: ManualClock;
  readonly #rng: Rng;
  /** The server's own order of the batches that wait for a thread. */
  readonly #jobs = new JobQueue<SimulatedJob>();
  readonly #isBusy: boolean[];
  /** Subsets of the inputs of the batches that have just ended, and of those that run. */
  readonly #subsets = new Map<string, Subset>();

  constructor({ model, noise }: Pick<ServedSimulation, 'model' | 'noise'>, clock: ManualClock, rng: Rng) {
    this.#model = model;
    this.#noise = noise;
    this.slots = model.threads;
    this.#isBusy = new Array<boolean>(model.threads).fill(false);
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

  run(inputs: readonly string[], subset: Subset, work?: BatchRoles): Promise<MemberOutput[]> {
    this.batches++;
    for (const input of inputs) this.#subsets.set(input, subset);
    const members = Array.from({ length: Math.log2(this.#model.accuracy.length) }, (_, m) => m).filter(
      (m) => (subset & (1 << m)) !== 0,
    );
    const factor = this.#noise === 0 ? 1 : Math.max(0.5, 1 + this.#noise * this.#rng.normal());
    const ms = factor * members.reduce((sum, m) => sum + this.#model.latencyMs(m, inputs.length), 0);
    const output = Float32Array.from({ length: 2 * inputs.length }, (_, i) => (i % 2 === 0 ? 0.9 : 0.1));
    return new Promise((resolve) => {
      this.#jobs.push({ id: MODEL_ID, work, ms, end: () => resolve(members.map(() => output)) });
      this.#next();
    });
  }

  async release(): Promise<void> {}

  #next(): void {
    for (const [thread, isBusy] of this.#isBusy.entries()) {
      if (isBusy) continue;
      const runner = { loaded: new Set([MODEL_ID]), isReserved: thread === 0 };
      const job = this.#jobs.take(runner, () => this.slots > 1);
      if (job === undefined) continue;
      this.#isBusy[thread] = true;
      job.work?.onStart();
      this.#clock.after(job.ms, () => {
        this.#isBusy[thread] = false;
        this.#jobs.ran(job, job.ms);
        job.end();
        this.#next();
      });
    }
  }
}

const MODEL_ID = 1;
