import type { Member } from '../../../src/db/statements/serving/deployments.ts';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { classification } from '../../../src/domain/kinds/classification.ts';
import type { AnswerMaker } from '../../../src/domain/kinds/kind.ts';
import type { BatchResult, Device } from '../../../src/serving/devices/device.ts';
import { Machine } from '../../../src/serving/machine/machine.ts';
import { ServedFleet } from '../../../src/serving/policies/fleet.ts';
import { LatencyModel } from '../../../src/serving/policies/latency-model.ts';
import type { Policy } from '../../../src/serving/policies/policy.ts';
import { type PolicyKind, policyByName } from '../../../src/serving/policies/registry.ts';
import { Batcher } from '../../../src/serving/queue/batcher.ts';
import type { RequestOptions, RequestOutcome, RequestWaiter } from '../../../src/serving/queue/queued-request.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A device whose batches end when the test says so; class 1 for texts that begin with "y". */
export class ManualDevice implements Device {
  isReady = true;
  isFree = true;
  readonly inlineRows: number = 0;
  readonly batches: { inputs: readonly string[]; subset: number; finish(error?: Error, ms?: number): void }[] = [];

  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  run(inputs: readonly string[], subset: number): Promise<BatchResult> {
    const startedMs = this.#clock.nowMs();
    return new Promise((resolve, reject) => {
      const output = Float32Array.from(inputs.flatMap((input) => (input.startsWith('y') ? [0.1, 0.9] : [0.9, 0.1])));
      const members = subset.toString(2).replaceAll('0', '').length;
      const finish = (error?: Error, ms = this.#clock.nowMs() - startedMs): void => {
        const outputs = Array.from({ length: members }, () => output);
        if (error) reject(error);
        else resolve({ outputs, ms });
      };
      this.batches.push({ inputs, subset, finish });
    });
  }

  /** Ends the load that the batcher waits for. */
  loaded: (error?: Error) => void = () => undefined;
  opens = 0;

  open(): Promise<boolean> {
    this.opens++;
    return new Promise((resolve, reject) => {
      this.loaded = (error) => {
        this.isReady = error === undefined;
        if (error === undefined) resolve(true);
        else reject(error);
      };
    });
  }

  async release(): Promise<void> {}
}

export interface SetUp {
  policy?: PolicyKind | { create(): Policy };
  /** Accuracy by subset. */
  accuracy?: number[];
  /** So many of the last members are variants of the first ones. */
  variants?: number;
  /** What each member takes for a row, and besides for a batch, ms. */
  rowMs?: number[];
  fixedMs?: number;
  budgetMs?: number;
  answerMaker?: AnswerMaker;
  device?(clock: ManualClock): ManualDevice;
  /** That several models share, and its clock. */
  clock?: ManualClock;
  machine?: Machine;
}

/** Members that take 0.1 ms a row by default. */
export function setUp({
  policy = policyByName('eager'),
  accuracy = [0, 0.9],
  variants = 0,
  rowMs = [],
  fixedMs = 0,
  budgetMs: usualMs = 50,
  answerMaker = classification.answers(['no', 'yes'], 'vote'),
  device: create = (clock) => new ManualDevice(clock),
  clock = new ManualClock(),
  machine = new Machine({ slots: 1, clock }),
}: SetUp = {}) {
  const device = create(clock);
  const answers: string[] = [];
  const timesOf = (ms: number) => new LatencyModel(new Map([1, 256].map((rows) => [rows, fixedMs + rows * ms])));
  const latency = Array.from({ length: Math.log2(accuracy.length) }, (_, m) => timesOf(rowMs[m] ?? 0.1));
  const exact = latency.length - variants;
  const members = latency.map(
    (_, m): Pick<Member, 'family' | 'precision' | 'variantOf'> => ({
      family: `f${m % exact}`,
      precision: m < exact ? 'float32' : 'int8',
      variantOf: m < exact ? null : m % exact,
    }),
  );
  const fleet = new ServedFleet({ members, accuracy, servers: machine.slots.count });
  fleet.measured(latency);
  const batcher = new Batcher({
    device,
    policy: policy.create({ fleet, seed: 1 }),
    fleet,
    clock,
    machine,
    answerMaker,
    members: members.map(() => unweighted(1)),
    budgetMs: usualMs,
    onBatch: () => undefined,
    onUnloaded: () => undefined,
    onAnswer: (input, answer) => answers.push(`${input}=${answer}`),
  });
  const ask = (input: string, options: Partial<RequestOptions> = {}) => {
    const budgetMs = options.budgetMs ?? usualMs;
    const deadlineMs = clock.nowMs() + budgetMs;
    const asked = { wantsDetail: false, deadlineMs, budgetMs, isFirm: false, role: 'a', session: batcher, ...options };
    const waiter: RequestWaiter = { resolve: () => undefined, reject: () => undefined };
    const outcome = new Promise<RequestOutcome>((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    const request = batcher.ask(input, asked, waiter);
    return { request, outcome, leave: () => batcher.leave(request, waiter) };
  };
  return { device, clock, machine, batcher, fleet, ask, answers };
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
