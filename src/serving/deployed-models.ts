import type { Database } from '../db/database.ts';
import { isHeld, isTransient } from '../db/persist.ts';
import {
  type DeploymentHead,
  type DeploymentRow,
  holdReady,
  noteFault,
  selectClasses,
} from '../db/statements/deployments.ts';
import { transitionDeployment } from '../db/statements/transitions.ts';
import { InvalidState } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import { RafikiError, reportError } from '../errors/rafiki-error.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { createRng } from '../runtime/rng.ts';
import type { ServedModel } from './served-model.ts';

export interface DeploymentsOptions {
  database: Database;
  logger: Logger;
  /** Makes a deployment ready to be asked; its model comes into memory when that is. */
  serve(row: DeploymentRow): ServedModel;
}

export interface DeployedModelsOptions extends DeploymentsOptions {
  /** Another model answers, or cannot. */
  onChange(): void;
  /** Has the rows looked at again after so long. */
  lookAgain(ms: number): void;
}

const RETRY_MS = 500;
/** A server that starts brings models into memory for so long before anybody can ask. */
const WARM_MS = 5000;
/** A load that fails for no reason that we know is tried so often. */
const MAX_LOADS = 3;
/** What this machine cannot load, it tries again after a while. */
const MACHINE_PAUSE = { firstMs: 1000, maxMs: 60_000 };

interface FailedLoad {
  failures: number;
  error: unknown;
  /** Not tried again before. */
  untilMs: number;
}

/**
 * Makes true in memory what the rows of rafiki.deployment say: a new version is loaded and measured beside the old one; one
 * transaction makes it ready and the old one retired, then it takes over here. No call fails in between.
 */
export class DeployedModels {
  readonly #options: DeployedModelsOptions;
  /** All that rows name, by deployment. */
  readonly #known = new Map<number, ServedModel>();
  /** What answers now, by model. */
  readonly #answering = new Map<number, ServedModel>();
  /** Loads that failed and will be tried again, by deployment. */
  readonly #failedLoads = new Map<number, FailedLoad>();
  readonly #rng = createRng(process.pid);
  #warmUntilMs: number | undefined;
  #isStopping = false;

  constructor(options: DeployedModelsOptions) {
    this.#options = options;
  }

  answering(modelId: number): ServedModel | undefined {
    return this.#answering.get(modelId);
  }

  all(): ServedModel[] {
    return [...this.#answering.values()];
  }

  /** Why it could not be loaded here, as far as it will be tried again. */
  errorOf({ id }: DeploymentHead): unknown {
    return this.#failedLoads.get(id)?.error;
  }

  /** Begins nothing any more. */
  stop(): void {
    this.#isStopping = true;
  }

  async release(): Promise<void> {
    this.#answering.clear();
    const models = [...this.#known.values()];
    this.#known.clear();
    await Promise.all(models.map((model) => model.release()));
  }

  /** `rows` are those of now: a load takes long, and they change meanwhile. */
  async follow(rows: () => readonly DeploymentHead[]): Promise<void> {
    this.#warmUntilMs ??= performance.now() + WARM_MS;
    for (const { id } of rows()) {
      const row = rows().find((each) => each.id === id);
      if (row !== undefined) await this.#followRow(row);
    }
    this.#retire(rows());
    this.#options.onChange();
  }

  /** Makes one row true in memory; a row that cannot be loaded does not stand in the way of the others. */
  async #followRow(row: DeploymentHead): Promise<void> {
    const now = this.#answering.get(row.modelId);
    if (this.#isStopping || (now !== undefined && now.row.id >= row.id)) return;
    if (performance.now() < (this.#failedLoads.get(row.id)?.untilMs ?? 0)) return;
    try {
      const model = this.#known.get(row.id) ?? (await this.#serve(row));
      const isNew = !this.#known.has(row.id);
      this.#known.set(row.id, model);
      if (row.state === 'loading') {
        await model.open();
        await this.#makeReady(row);
      } else if (isNew) await this.#warm(model);
      this.#answering.set(row.modelId, model);
      this.#failedLoads.delete(row.id);
      this.#options.onChange();
    } catch (error) {
      await this.#failed(row, error);
    }
  }

  async #serve(row: DeploymentHead): Promise<ServedModel> {
    const classes = await selectClasses(this.#options.database, row.versionId);
    return this.#options.serve({ ...row, classes });
  }

  /** A model that answers elsewhere, or did before a restart: it comes now where room and time are, or with the first request. */
  async #warm(model: ServedModel): Promise<void> {
    const hasPredecessor = this.#answering.has(model.row.modelId);
    if (!hasPredecessor && performance.now() > (this.#warmUntilMs ?? 0)) return;
    try {
      await model.open({ mayEvict: hasPredecessor });
    } catch (error) {
      if (!isMachineFault(error)) throw error; // else each request tries again, or learns why not
      this.#options.logger.warn({ model: model.row.model, err: String(error) }, 'a model cannot be loaded here');
    }
  }

  async #makeReady(row: DeploymentHead): Promise<void> {
    const { database, logger } = this.#options;
    await database.transaction(async (on) => {
      const mover = { on, logger };
      const old = await holdReady(on, row.modelId);
      if (old !== undefined && old !== row.id)
        await transitionDeployment(mover, { id: old, from: 'ready', event: 'retire' });
      if (await transitionDeployment(mover, { id: row.id, from: 'loading', event: 'load' })) return;
      // Another server was faster, or it was retired meanwhile: the old one stays as it was, the next scan tells.
      this.#options.lookAgain(0);
      throw new InvalidState(`deployment ${row.id} is not loading any more`);
    });
  }

  async #failed(row: DeploymentHead, error: unknown): Promise<void> {
    const { database, logger } = this.#options;
    if (error instanceof InvalidState) return;
    if (isHeld(error)) {
      this.#options.lookAgain(RETRY_MS); // its owner is changing it, in a transaction that is open still
      return;
    }
    const failures = (this.#failedLoads.get(row.id)?.failures ?? 0) + 1;
    const ofMachine = isMachineFault(error);
    const pauseMs = ofMachine ? backoffMs(failures - 1, MACHINE_PAUSE, this.#rng) : RETRY_MS;
    this.#failedLoads.set(row.id, { failures, error, untilMs: performance.now() + pauseMs });
    logger.warn({ deployment: row.id, model: row.model, failures, err: String(error) }, 'a model cannot be loaded');
    this.#options.onChange();
    const unknown = !(error instanceof RafikiError) || error.retryable;
    if (ofMachine || isTransient(error) || (unknown && failures < MAX_LOADS)) {
      this.#options.lookAgain(pauseMs);
      // the row is everybody's: another machine may load it
      if (ofMachine) await noteFault(database, row.id, reportError(error));
      return;
    }
    this.#failedLoads.delete(row.id);
    await transitionDeployment(
      { on: database, logger },
      { id: row.id, from: row.state, event: 'fail', error: reportError(error) },
    );
  }

  /** Takes out of memory what no row names any more; its last requests are answered first. */
  #retire(rows: readonly DeploymentHead[]): void {
    const named = new Set(rows.map((row) => row.id));
    for (const id of this.#failedLoads.keys()) if (!named.has(id)) this.#failedLoads.delete(id);
    for (const [id, model] of this.#known) {
      const { modelId } = model.row;
      const now = this.#answering.get(modelId);
      if (named.has(id) && (now === model || (now !== undefined && now.row.id < id))) continue;
      if (now === model) this.#answering.delete(modelId);
      this.#known.delete(id);
      void model.release().catch((error: unknown) => {
        this.#options.logger.warn({ deployment: id, err: String(error) }, 'a retired model was not freed');
      });
    }
  }
}
