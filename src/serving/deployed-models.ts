import type { Database } from '../db/database.ts';
import { isLocked, isTransient } from '../db/persist.ts';
import { isOtherSchema, translatePostgresError } from '../db/postgres-error.ts';
import {
  type DeploymentHead,
  type DeploymentRow,
  lockReadyDeployment,
  selectClasses,
  setLoadError,
} from '../db/statements/serving/deployments.ts';
import { transitionDeployment } from '../db/statements/transitions.ts';
import { InvalidState, LimitReached, ShuttingDown } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import { RafikiError, reportError } from '../errors/rafiki-error.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { createRng } from '../runtime/rng.ts';
import type { ServedModel } from './served-model.ts';

export interface DeploymentsOptions {
  database: Database;
  logger: Logger;
  /** Creates the served model of a deployment; it is loaded into memory with the first request. */
  serve(row: DeploymentRow): ServedModel;
}

export interface DeployedModelsOptions extends DeploymentsOptions {
  /** Which model answers, or that one cannot be loaded, has changed. */
  onChange(): void;
  /** Reads the rows again after `ms`. */
  refreshIn(ms: number): void;
}

const RETRY_MS = 500;
/** At start, models are loaded into memory for at most this long before calls are accepted. */
const WARM_MS = 5000;
/** Attempts at loading a model after an unexpected error. */
const MAX_LOADS = 3;
/** Pause between attempts when this machine cannot load the model. */
const MACHINE_PAUSE = { firstMs: 1000, maxMs: 60_000 };

interface FailedLoad {
  failures: number;
  error: unknown;
  /** No attempt before this time. */
  untilMs: number;
}

/**
 * Loads and releases models according to the rows of rafiki.deployment. A new version is loaded and measured next to
 * the old one; one transaction sets it to ready and the old one to retired; then it replaces the old one here. No call
 * fails in between.
 */
export class DeployedModels {
  readonly #options: DeployedModelsOptions;
  /** All models named by rows, by deployment. */
  readonly #known = new Map<number, ServedModel>();
  /** The models that answer now, by model id. */
  readonly #answering = new Map<number, ServedModel>();
  /** Failed loads that will be tried again, by deployment. */
  readonly #failedLoads = new Map<number, FailedLoad>();
  /** Deployments of imported models that are being loaded: nobody waits for a foreign graph. */
  readonly #apart = new Map<number, Promise<void>>();
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

  /** Why the deployment could not be loaded here, while it will be tried again. */
  errorOf({ id }: DeploymentHead): unknown {
    return this.#failedLoads.get(id)?.error;
  }

  /** Starts no further loads. */
  stop(): void {
    this.#isStopping = true;
  }

  async release(): Promise<void> {
    this.#answering.clear();
    const models = [...this.#known.values()];
    this.#known.clear();
    await Promise.all([...models.map((model) => model.release()), ...this.#apart.values()]);
  }

  /** `rows` returns the current rows: they may change during a load, which takes long. Does not wait for imported models. */
  async follow(rows: () => readonly DeploymentHead[]): Promise<void> {
    this.#warmUntilMs ??= performance.now() + WARM_MS;
    for (const { id } of rows()) {
      const row = rows().find((each) => each.id === id);
      if (row === undefined) continue;
      if (row.foreignOwner === null) await this.#followRow(row);
      else this.#followApart(row);
    }
    this.#retire(rows());
    this.#options.onChange();
  }

  #followApart(row: DeploymentHead): void {
    if (this.#apart.has(row.id) || this.#isFollowed(row)) return;
    const followed = this.#followRow(row)
      .catch((error: unknown) => this.#options.logger.warn({ err: String(error) }, 'cannot load an imported model'))
      .finally(() => {
        this.#apart.delete(row.id);
        this.#options.refreshIn(0); // the rows may be others by now
      });
    this.#apart.set(row.id, followed);
  }

  /** Whether the model answers already, and where it should: an imported one in the process of the role that owns it now. */
  #isFollowed({ id, modelId, foreignOwner }: DeploymentHead): boolean {
    const now = this.#answering.get(modelId);
    if (now === undefined || now.row.id < id) return false;
    return now.row.id > id || now.row.foreignOwner === foreignOwner;
  }

  /** Applies one row; a row that cannot be loaded does not block the others. */
  async #followRow(row: DeploymentHead): Promise<void> {
    if (this.#isStopping || this.#isFollowed(row)) return;
    if (performance.now() < (this.#failedLoads.get(row.id)?.untilMs ?? 0)) return;
    let unnamed: ServedModel | undefined;
    try {
      const known = this.#known.get(row.id);
      const isMoved = known !== undefined && known.row.foreignOwner !== row.foreignOwner; // and answers until the other one is loaded
      const model = known === undefined || isMoved ? await this.#serve(row) : known;
      if (isMoved) unnamed = model;
      else this.#known.set(row.id, model);
      if (row.state === 'loading') {
        await model.open();
        if (this.#isStopping) return;
        await this.#makeReady(row);
      } else if (model !== known) await this.#warm(model);
      if (this.#isFollowed(row)) return; // by a newer one
      unnamed = undefined;
      this.#known.set(row.id, model);
      this.#answering.set(row.modelId, model);
      if (isMoved) this.#release(known);
      this.#failedLoads.delete(row.id);
      this.#options.onChange();
    } catch (error) {
      await this.#failed(row, error);
    } finally {
      if (unnamed !== undefined) this.#release(unnamed);
    }
  }

  async #serve(row: DeploymentHead): Promise<ServedModel> {
    const classes = await selectClasses(this.#options.database, row.versionId);
    return this.#options.serve({ ...row, classes });
  }

  /**
   * A model that is ready elsewhere, or was before a restart: loaded now if memory and time allow, else with the first
   * request.
   */
  async #warm(model: ServedModel): Promise<void> {
    const hasPredecessor = this.#answering.has(model.row.modelId);
    if (!hasPredecessor && performance.now() > (this.#warmUntilMs ?? 0)) return;
    try {
      await model.open({ mayEvict: hasPredecessor });
    } catch (error) {
      if (!isMachineFault(error)) throw error; // otherwise each request tries again or gets the error
      this.#options.logger.warn({ model: model.row.model, err: String(error) }, 'a model cannot be loaded here');
    }
  }

  async #makeReady(row: DeploymentHead): Promise<void> {
    const { database, logger } = this.#options;
    await database.transaction(async (on) => {
      const context = { on, logger };
      const old = await lockReadyDeployment(on, row.modelId);
      if (old !== undefined && old !== row.id)
        await transitionDeployment(context, { id: old, from: 'ready', event: 'retire' });
      if (await transitionDeployment(context, { id: row.id, from: 'loading', event: 'load' })) return;
      // Another server was faster, or the version was retired meanwhile: keep the old one; the next refresh decides.
      this.#options.refreshIn(0);
      throw new InvalidState(`deployment ${row.id} is no longer loading`);
    });
  }

  async #failed(row: DeploymentHead, error: unknown): Promise<void> {
    const { database, logger } = this.#options;
    if (error instanceof InvalidState || error instanceof ShuttingDown) return;
    if (isLocked(error)) {
      this.#options.refreshIn(RETRY_MS); // the row is locked by an open transaction of the model's owner
      return;
    }
    const failures = (this.#failedLoads.get(row.id)?.failures ?? 0) + 1;
    const ofMachine = isMachineFault(error) || isOtherSchema(error); // another version's server may be able to
    const pauseMs = ofMachine ? backoffMs(failures - 1, MACHINE_PAUSE, this.#rng) : RETRY_MS;
    this.#failedLoads.set(row.id, { failures, error, untilMs: performance.now() + pauseMs });
    logger.warn({ deployment: row.id, model: row.model, failures, err: String(error) }, 'a model cannot be loaded');
    this.#options.onChange();
    const unknown = !(error instanceof RafikiError) || error.retryable;
    const isBusy = error instanceof LimitReached || isTransient(error); // it may take a while, and is no fault of the model
    if (ofMachine || isBusy || (unknown && failures < MAX_LOADS)) {
      this.#options.refreshIn(pauseMs);
      // All servers share the row: another machine may be able to load the model.
      if (ofMachine) await setLoadError(database, row.id, reportError(translatePostgresError(error)));
      return;
    }
    this.#failedLoads.delete(row.id);
    await transitionDeployment(
      { on: database, logger },
      { id: row.id, from: row.state, event: 'fail', error: reportError(error) },
    );
  }

  /** Releases models without a row, after their last requests are answered. */
  #retire(rows: readonly DeploymentHead[]): void {
    const named = new Set(rows.map((row) => row.id));
    for (const id of this.#failedLoads.keys()) if (!named.has(id)) this.#failedLoads.delete(id);
    for (const [id, model] of this.#known) {
      const { modelId } = model.row;
      const now = this.#answering.get(modelId);
      if (this.#apart.has(id) || (named.has(id) && (now === model || (now !== undefined && now.row.id < id)))) continue;
      if (now === model) this.#answering.delete(modelId);
      this.#known.delete(id);
      this.#release(model);
    }
  }

  #release(model: ServedModel): void {
    void model.release().catch((error: unknown) => {
      this.#options.logger.warn({ deployment: model.row.id, err: String(error) }, 'a retired model was not released');
    });
  }
}
