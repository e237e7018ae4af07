import type { Database } from '../db/database.ts';
import { selectPolicyWeights, writePolicyWeights } from '../db/statements/serving-notes.ts';
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

/** Keeps in rafiki.policy_weights what policies learn on line, so that a restart does not begin anew. */
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

  /** Gives a model's policy what an earlier process learned; before, nothing of it is written. */
  async restore({ row, policy }: ServedModel): Promise<void> {
    if (policy.learned === undefined) return;
    const weights = await selectPolicyWeights(this.#options.database, row.versionId, policy.name);
    if (weights !== undefined && !policy.learned.restore(weights)) {
      this.#options.logger.warn({ model: row.model }, 'kept weights do not fit the policy: it begins anew');
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
      logger.warn({ err: String(error) }, 'what policies learned cannot be written');
    }
  }
}
