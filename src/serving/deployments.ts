import { Listener } from '../db/listener.ts';
import { type DeploymentHead, selectDeployments } from '../db/statements/deployments.ts';
import { NotReady, UndefinedObject } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import type { Service } from '../runtime/service.ts';
import { Wake } from '../runtime/wake.ts';
import { Changes } from './changes.ts';
import { DeployedModels, type DeploymentsOptions } from './deployed-models.ts';
import type { ServedModel } from './served-model.ts';
import type { ModelDirectory } from './session/model-directory.ts';

/** NOTIFY is the hint; this often the rows are looked at anyway. */
const POLL_MS = 5000;
const RETRY_MS = 500;
/** Any role may send a NOTIFY, and as many as it likes: the rows are looked at no more often than this. */
const LOOK_MS = 100;
/** How long a call waits for a model that is being loaded, and for a look that tells whether there is one. */
const ARRIVAL_MS = 30_000;
const FIND_MS = 5000;

/**
 * Answers for what the rows of rafiki.deployment say. Keys follow them at each look, so that a key which was replaced opens
 * nothing any more; models follow beside that, since loading takes long.
 */
export class Deployments implements Service, ModelDirectory {
  readonly #options: DeploymentsOptions;
  readonly #listener: Listener;
  readonly #stopping = new AbortController();
  /** Time to look at the rows, and time to load what they name. */
  readonly #wake = new Wake(LOOK_MS);
  readonly #looked = new Wake();
  /** The rows at the last look, and their models' ids by key. */
  #rows: readonly DeploymentHead[] = [];
  #keys: ReadonlyMap<string, number> = new Map();
  #looks = 0;
  readonly #models: DeployedModels;
  readonly #changes = new Changes();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
    this.#models = new DeployedModels({
      ...options,
      onChange: () => this.#changes.changed(),
      lookAgain: (ms) => void setTimeout(() => this.#wake.poke(), ms).unref(),
    });
    this.#listener = new Listener({
      url: options.database.url,
      channels: ['rafiki_deployment'],
      onNotify: () => this.#wake.poke(),
      onConnect: () => this.#wake.poke(),
      logger: options.logger,
    });
  }

  async start(): Promise<void> {
    await this.#look();
    await this.#models.follow(() => this.#rows);
    await this.#listener.start();
    this.#loops = Promise.all([this.#keepLooking(), this.#keepFollowing()]);
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
    // The row may be newer than our last look, and the look that runs now may have begun before it: two more will show it.
    const enough = this.#looks + 2;
    await this.#found(FIND_MS, () => {
      if (this.has(key)) return true;
      if (this.#looks >= enough) throw notServed();
      this.#wake.poke();
      return undefined;
    });
  }

  async arrival(key: string): Promise<ServedModel> {
    await this.find(key);
    return this.#found(ARRIVAL_MS, () => {
      if (!this.has(key)) throw notServed();
      return this.get(key) ?? this.#refuseUnfit(key);
    });
  }

  /** Nobody waits for a model that this machine cannot load. */
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
    throw new NotReady('the model is still being loaded', {
      hint: 'Ask again in a moment; the log of serving says more.',
    });
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = POLL_MS;
    while (!signal.aborted) {
      await this.#wake.wait(pauseMs, signal);
      if (signal.aborted) return;
      try {
        await this.#look();
        pauseMs = POLL_MS;
      } catch (error) {
        this.#options.logger.warn({ err: String(error) }, 'cannot look at the deployments');
        pauseMs = RETRY_MS;
      }
    }
  }

  async #keepFollowing(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#looked.wait(POLL_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#models.follow(() => this.#rows);
      } catch (error) {
        this.#options.logger.warn({ err: String(error) }, 'cannot follow the deployments');
        setTimeout(() => this.#wake.poke(), RETRY_MS).unref();
      }
    }
  }

  async #look(): Promise<void> {
    this.#rows = await selectDeployments(this.#options.database);
    this.#keys = new Map(this.#rows.map((row) => [row.key, row.modelId]));
    this.#looks++;
    this.#looked.poke();
    this.#changes.changed();
  }
}

const notServed = (): UndefinedObject =>
  new UndefinedObject('the model is not deployed', {
    hint: 'See rafiki.deployments; rafiki_deploy(model, version) puts a version in service.',
  });
