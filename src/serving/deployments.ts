import { Listener } from '../db/listener.ts';
import { type DeploymentHead, selectDeployments } from '../db/statements/serving/deployments.ts';
import { NotReady, UndefinedObject } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import type { Service } from '../runtime/service.ts';
import { Wake } from '../runtime/wake.ts';
import { Changes } from './changes.ts';
import { DeployedModels, type DeploymentsOptions } from './deployed-models.ts';
import type { ServedModel } from './served-model.ts';
import type { ModelDirectory } from './session/model-directory.ts';

/** Fallback in case a NOTIFY is lost. */
const POLL_MS = 5000;
const RETRY_MS = 500;
/** Any role may send any number of NOTIFYs: this bounds the number of queries. */
const MIN_REFRESH_MS = 100;
/** How long a call waits for a model that is loading, and for a refresh that shows whether the key exists. */
const LOAD_WAIT_MS = 30_000;
const FIND_WAIT_MS = 5000;

/**
 * Serves the deployments in rafiki.deployment. Keys are updated at each refresh, so that a replaced key stops working;
 * models are loaded separately, since that takes long.
 */
export class Deployments implements Service, ModelDirectory {
  readonly #options: DeploymentsOptions;
  readonly #listener: Listener;
  readonly #stopping = new AbortController();
  /** Triggers of a refresh, and of loading what the rows name. */
  readonly #wake = new Wake(MIN_REFRESH_MS);
  readonly #refreshed = new Wake();
  /** The rows at the last refresh, and model ids by key. */
  #rows: readonly DeploymentHead[] = [];
  #keys: ReadonlyMap<string, number> = new Map();
  #refreshes = 0;
  readonly #models: DeployedModels;
  readonly #changes = new Changes();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
    this.#models = new DeployedModels({
      ...options,
      onChange: () => this.#changes.changed(),
      refreshIn: (ms) => void setTimeout(() => this.#wake.notify(), ms).unref(),
    });
    this.#listener = new Listener({
      url: options.database.url,
      channels: ['rafiki_deployment'],
      onNotify: () => this.#wake.notify(),
      onConnect: () => this.#wake.notify(),
      logger: options.logger,
    });
  }

  async start(): Promise<void> {
    await this.#refresh();
    await this.#models.follow(() => this.#rows);
    await this.#listener.start();
    this.#loops = Promise.all([this.#keepRefreshing(), this.#keepFollowing()]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#models.stop();
    this.#changes.changed();
    await this.#listener.stop();
    await this.#loops;
    await this.#models.release();
  }

  get(key: string): ServedModel | undefined {
    const modelId = this.#keys.get(key);
    return modelId === undefined ? undefined : this.#models.answering(modelId);
  }

  current(modelId: number): ServedModel | undefined {
    return this.#models.answering(modelId);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  models(): ServedModel[] {
    return this.#models.all();
  }

  async find(key: string): Promise<void> {
    // The row may be newer than the last refresh, and a refresh in progress may have started before it: two more will
    // show it.
    const enough = this.#refreshes + 2;
    await this.#found(FIND_WAIT_MS, () => {
      if (this.has(key)) return true;
      if (this.#refreshes >= enough) throw notServed();
      this.#wake.notify();
      return undefined;
    });
  }

  async whenLoaded(key: string): Promise<ServedModel> {
    await this.find(key);
    return this.#found(LOAD_WAIT_MS, () => {
      if (!this.has(key)) throw notServed();
      return this.get(key) ?? this.#refuseUnfit(key);
    });
  }

  /** A call must not wait for a model that this machine cannot load. */
  #refuseUnfit(key: string): undefined {
    const row = this.#rows.findLast(({ modelId }) => modelId === this.#keys.get(key));
    const error = row && this.#models.errorOf(row);
    if (isMachineFault(error)) throw error;
    return undefined;
  }

  async #found<T>(ms: number, found: () => T | undefined): Promise<T> {
    const isStopping = (): boolean => this.#stopping.signal.aborted;
    const result = await this.#changes.until(ms, () => found() ?? (isStopping() ? null : undefined));
    if (result !== undefined && result !== null) return result;
    throw new NotReady('the model is still loading', {
      hint: 'Repeat the call later; the log of the prediction server has details.',
    });
  }

  async #keepRefreshing(): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = POLL_MS;
    while (!signal.aborted) {
      await this.#wake.wait(pauseMs, signal);
      if (signal.aborted) return;
      try {
        await this.#refresh();
        pauseMs = POLL_MS;
      } catch (error) {
        this.#options.logger.warn({ err: String(error) }, 'cannot read the deployments');
        pauseMs = RETRY_MS;
      }
    }
  }

  async #keepFollowing(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#refreshed.wait(POLL_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#models.follow(() => this.#rows);
      } catch (error) {
        this.#options.logger.warn({ err: String(error) }, 'cannot load the deployed models');
        setTimeout(() => this.#wake.notify(), RETRY_MS).unref();
      }
    }
  }

  async #refresh(): Promise<void> {
    this.#rows = await selectDeployments(this.#options.database);
    this.#keys = new Map(this.#rows.map((row) => [row.key, row.modelId]));
    this.#refreshes++;
    this.#refreshed.notify();
    this.#changes.changed();
  }
}

const notServed = (): UndefinedObject =>
  new UndefinedObject('the model is not deployed', {
    hint: 'See rafiki.deployments; rafiki_deploy(model, version) deploys a version.',
  });
