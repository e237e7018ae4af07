import type { Database } from '../db/database.ts';
import { selectPolicyWeights, writePolicyWeights } from '../db/statements/serving/serving-state.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import type { Policy } from './policies/policy.ts';
import type { ServedModel } from './served-model.ts';

export interface WeightKeeperOptions {
  database: Database;
  logger: Logger;
  models(): readonly ServedModel[];
}

const WRITE_MS = 30_000;

/** Stores the weights that policies learn online in rafiki.policy_weights, so that they survive a restart. */
export class WeightKeeper implements Service {
  readonly #options: WeightKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #restored = new WeakSet<Policy>();

  constructor(options: WeightKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#writeSoon(), WRITE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#writeSoon();
    await this.#writing;
  }

  /** Restores the weights of a model's policy. Nothing is written before that. */
  async restore({ row, policy }: ServedModel): Promise<void> {
    if (policy.learned === undefined) return;
    const weights = await selectPolicyWeights(this.#options.database, row.versionId, policy.name);
    if (weights !== undefined && !policy.learned.restore(weights)) {
      this.#options.logger.warn(
        { model: row.model },
        'the stored weights do not fit the policy; it starts with its first ones',
      );
    }
    this.#restored.add(policy);
  }

  #writeSoon(): void {
    this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const { database, models, logger } = this.#options;
    try {
      for (const { row, policy } of models()) {
        if (policy.learned === undefined || !this.#restored.has(policy)) continue;
        const weights = policy.learned.weights();
        await writePolicyWeights(database, { versionId: row.versionId, policy: policy.name, weights });
      }
    } catch (error) {
      logger.warn({ err: String(error) }, "cannot write the policies' weights");
    }
  }
}
