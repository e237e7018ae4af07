import type { Rng } from '../../src/runtime/rng.ts';
import { alreadyLate, stationMs } from '../../src/serving/policies/batches.ts';
import { Margin } from '../../src/serving/policies/margin.ts';
import type { Decision, Fleet, Policy, PolicyState } from '../../src/serving/policies/policy.ts';
import { ArrivalRate } from '../../src/serving/queue/arrival-rate.ts';
import type { Arrivals } from './arrivals.ts';
import { Waiting } from './waiting.ts';

export interface Simulation {
  fleet: Fleet;
  budgetMs: number;
  arrivals: Arrivals;
  /** Creates the policy for the fleet that it knows: with the margin that it needs. */
  policy(fleet: Fleet): Policy;
  /** Whether requests that no batch can answer in time are refused; they are served late otherwise. */
  drops: boolean;
  /** Coefficient of variation of service times. */
  noise: number;
  /** Of service times. */
  rng: Rng;
  /** Requests that arrive before are served and not counted: for a policy to learn. */
  countFromMs?: number;
  /** Whether to end the run now, with `queued` waiting: the rest of the requests does not come. */
  endsEarly?(queued: number): boolean;
  /** Result of each request: accuracy 0 if it was refused. */
  onAnswer?(arrivedMs: number, outcome: { accuracy: number; isLate: boolean }): void;
}

/** Results of the counted requests. */
export interface Result {
  requests: number;
  /** Σ accuracy of the subset that answered, over those answered in time (β = 1: an overdue answer earns nothing). */
  reward: number;
  overdue: number;
  refused: number;
  /** Σ accuracy over all answers. */
  accuracy: number;
  latencyMs: number;
  batches: number;
}

/** Runs a policy over arrivals on simulated time. */
export function simulate(simulation: Simulation): Result {
  return new SimulatedRun(simulation).result();
}

interface SimulatedBatch {
  endMs: number;
  subset: number;
  rows: number;
  overdue: number;
}

/** The fleet as a policy knows it: expected times, and a margin that is learned. */
const knownFleet = (fleet: Fleet, margin: Margin): Fleet => ({
  ...fleet,
  get margin() {
    return margin.value;
  },
});

class SimulatedRun {
  readonly #simulation: Simulation;
  readonly #margin = new Margin();
  readonly #fleet: Fleet;
  readonly #policy: Policy;
  readonly #queue: Waiting;
  readonly #freeMs: number[][];
  readonly #running: SimulatedBatch[] = [];
  readonly #rate: ArrivalRate;
  readonly #result: Result = {
    requests: 0,
    reward: 0,
    overdue: 0,
    refused: 0,
    accuracy: 0,
    latencyMs: 0,
    batches: 0,
  };
  #nowMs = 0;
  #next = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#fleet = knownFleet(simulation.fleet, this.#margin);
    this.#policy = simulation.policy(this.#fleet);
    this.#queue = new Waiting(simulation.arrivals, simulation.budgetMs);
    this.#freeMs = simulation.fleet.stations.map(({ servers }) => new Array<number>(servers).fill(0));
    this.#rate = new ArrivalRate(simulation.budgetMs);
  }

  result(): Result {
    const { arrivals, endsEarly } = this.#simulation;
    for (;;) {
      this.#admit();
      if (endsEarly?.(this.#queue.length)) return this.#result;
      this.#finish();
      const wait = this.#dispatch();
      const wakeRows = Math.max(1, wait.rows - this.#queue.length);
      const arrival =
        arrivals[this.#next + wakeRows - 1] ??
        arrivals[Math.max(this.#next, arrivals.length - 1)] ??
        Number.POSITIVE_INFINITY;
      this.#nowMs = Math.min(arrival, this.#nextFree(), Math.max(wait.untilMs, this.#nowMs + 1e-6));
      if (!Number.isFinite(this.#nowMs)) {
        if (this.#queue.length > 0) throw new Error(`the policy ${this.#policy.name} waits for ever`);
        return this.#result;
      }
    }
  }

  #admit(): void {
    const { arrivals, countFromMs = 0 } = this.#simulation;
    while (this.#next < arrivals.length && arrivals[this.#next]! <= this.#nowMs) {
      const ms = arrivals[this.#next]!;
      this.#rate.arrived(ms);
      if (ms >= countFromMs) this.#result.requests++;
      this.#queue.push(this.#next++);
    }
  }

  #finish(): void {
    while (this.#running.length > 0 && this.#running[0]!.endMs <= this.#nowMs) {
      const { endMs, ...batch } = this.#running.shift()!;
      this.#policy.observe?.({ nowMs: endMs, ...batch });
    }
  }

  #dispatch(): Extract<Decision, { kind: 'wait' }> {
    const { drops } = this.#simulation;
    for (;;) {
      const state = this.#state();
      if (drops) this.#refuse(alreadyLate(this.#fleet, state));
      if (this.#queue.length === 0) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: 1 };
      if (!this.#anyFree()) return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
      const decision = this.#policy.decide(state);
      if (decision.kind === 'wait') return decision;
      this.#run(decision);
    }
  }

  #state(): PolicyState {
    const { budgetMs } = this.#simulation;
    const rate = this.#rate.at(this.#nowMs);
    return { nowMs: this.#nowMs, queue: this.#queue, budgetMs, freeMs: this.#freeMs, rate };
  }

  #refuse(count: number): void {
    if (count === 0) return;
    const { arrivals, countFromMs = 0, onAnswer } = this.#simulation;
    for (const request of this.#queue.take(0, count)) {
      const ms = arrivals[request]!;
      if (ms < countFromMs) continue;
      this.#result.refused++;
      onAnswer?.(ms, { accuracy: 0, isLate: true });
    }
  }

  #run({ subset, from, rows }: Extract<Decision, { kind: 'dispatch' }>): void {
    const { fleet, noise, rng, budgetMs, arrivals, countFromMs = 0, onAnswer } = this.#simulation;
    const requests = this.#queue.take(from, rows);
    let endMs = this.#nowMs;
    fleet.stations.forEach((station, s) => {
      if ((station.members & subset) === 0) return;
      const free = this.#freeMs[s]!;
      const server = free.indexOf(Math.min(...free));
      const factor = noise === 0 ? 1 : Math.max(0.5, 1 + noise * rng.normal());
      this.#margin.observe(factor);
      const end =
        Math.max(this.#nowMs, free[server]!) + factor * stationMs(fleet, station, { subset, rows: requests.length });
      free[server] = end;
      endMs = Math.max(endMs, end);
    });
    const accuracy = fleet.accuracy[subset]!;
    let overdue = 0;
    for (const request of requests) {
      const ms = arrivals[request]!;
      const late = endMs > ms + budgetMs + 1e-6;
      if (late) overdue++;
      if (ms < countFromMs) continue;
      this.#result.accuracy += accuracy;
      this.#result.latencyMs += endMs - ms;
      if (late) this.#result.overdue++;
      else this.#result.reward += accuracy;
      onAnswer?.(ms, { accuracy, isLate: late });
    }
    this.#result.batches++;
    const batch = { endMs, subset, rows: requests.length, overdue };
    const place = this.#running.findLastIndex((other) => other.endMs <= endMs);
    this.#running.splice(place + 1, 0, batch);
  }

  #anyFree(): boolean {
    return this.#freeMs.some((servers) => servers.some((ms) => ms <= this.#nowMs));
  }

  #nextFree(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const servers of this.#freeMs) for (const ms of servers) if (ms > this.#nowMs && ms < next) next = ms;
    return next;
  }
}
