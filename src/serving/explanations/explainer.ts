import { unweighted } from '../../domain/ensembles/rule.ts';
import type { AnswerMaker } from '../../domain/kinds/kind.ts';
import { InvalidState } from '../../errors/errors.ts';
import type { TimerClock } from '../../runtime/clock.ts';
import type { BatchResult, Device, ExplainedEnsemble } from '../devices/device.ts';
import type { Machine } from '../machine/machine.ts';
import { ServedFleet } from '../policies/fleet.ts';
import { LatencyModel } from '../policies/latency-model.ts';
import type { PolicyKind } from '../policies/registry.ts';
import { Batcher } from '../queue/batcher.ts';

export interface ExplainerOptions {
  /** Of the model, which is loaded once for both. */
  device: Device;
  ensemble: ExplainedEnsemble;
  /** Batches in parallel. */
  servers: number;
  policy: PolicyKind;
  seed: number;
  machine: Machine;
  clock: TimerClock;
  budgetMs: number;
  onBatch(): void;
  onUnloaded(): void;
}

/** What an explanation takes, before the first one is measured. */
const ASSUMED_MS = 20;

/**
 * The queue of a model's explanations. To the machine it is a model of its own, with its own latencies: explanations take far longer than
 * predictions, have the same fair share of the machine, and share no batch with them.
 */
export function explanationQueue(options: ExplainerOptions): Batcher {
  const { device, ensemble, policy, seed, machine, clock, budgetMs, onBatch, onUnloaded } = options;
  const members = [{ family: 'explanation', precision: 'float32' as const, variantOf: null }];
  const fleet = new ServedFleet({ members, accuracy: [0, 1], servers: options.servers });
  fleet.measured([new LatencyModel(new Map([[1, ASSUMED_MS]]))]);
  return new Batcher({
    device: new ExplainingDevice(device, ensemble, fleet),
    fleet,
    policy: policy.create({ fleet, seed }),
    clock,
    machine,
    answerMaker: asFinding,
    members: [unweighted(1)],
    budgetMs,
    onBatch,
    onUnloaded,
    onAnswer: () => undefined, // not cached: nobody asks twice
  });
}

/** The numbers of each row of a batch are its explanation. */
const asFinding: AnswerMaker = {
  answer: () => '',
  finding: ({ outputs }, row) => ({ explanation: outputs[row] }),
};

/** A device as its explanations use it; the model loads, is unloaded and is released with it. */
class ExplainingDevice implements Device {
  readonly inlineRows = 0;
  readonly #device: Device;
  readonly #ensemble: ExplainedEnsemble;
  readonly #fleet: ServedFleet;
  #isMeasured = false;

  constructor(device: Device, ensemble: ExplainedEnsemble, fleet: ServedFleet) {
    this.#device = device;
    this.#ensemble = ensemble;
    this.#fleet = fleet;
  }

  get isReady(): boolean {
    return this.#device.isReady;
  }

  get isFree(): boolean {
    return this.#device.isFree;
  }

  open(options?: { mayEvict: boolean }): Promise<boolean> {
    return this.#device.open(options);
  }

  async run(orders: readonly string[]): Promise<BatchResult> {
    if (this.#device.explain === undefined) throw new InvalidState('the device of the model explains nothing');
    const result = await this.#device.explain(orders, this.#ensemble);
    if (!this.#isMeasured) this.#fleet.measured([new LatencyModel(new Map([[1, result.ms / orders.length]]))]);
    this.#isMeasured = true;
    return result;
  }

  async release(): Promise<void> {}
}
