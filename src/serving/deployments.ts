import type { Database } from '../db/database.ts';
import { Listener } from '../db/listener.ts';
import { isHeld, isTransient } from '../db/persist.ts';
import {
  type DeploymentHead,
  type DeploymentRow,
  holdReady,
  noteFault,
  selectClasses,
  selectDeployments,
} from '../db/statements/serving.ts';
import { transitionDeployment } from '../db/statements/transitions.ts';
import { InvalidState, NotReady, UndefinedObject } from '../errors/errors.ts';
import { isMachineFault } from '../errors/machine-fault.ts';
import { RafikiError, reportError } from '../errors/rafiki-error.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { createRng } from '../runtime/rng.ts';
import type { Service } from '../runtime/service.ts';
import { Wake } from '../runtime/wake.ts';
import { Changes } from './changes.ts';
import type { ServedModel } from './served-model.ts';
import type { ModelDirectory } from './session/client.ts';

export interface DeploymentsOptions {
  database: Database;
  logger: Logger;
  /** Makes a deployment ready to be asked; its model comes into memory when that is. */
  serve(row: DeploymentRow): ServedModel;
}

/** NOTIFY is the hint; this often the rows are looked at anyway. */
const POLL_MS = 5000;
const RETRY_MS = 500;
/** Any role may send a NOTIFY, and as many as it likes: the rows are looked at no more often than this. */
const LOOK_MS = 100;
/** How long a call waits for a model that is being loaded, and for a look that tells whether there is one. */
const ARRIVAL_MS = 30_000;
const FIND_MS = 5000;
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
 * Answers for what the rows of rafiki.deployment say. Keys follow them at each look, so that a key which was replaced opens
 * nothing any more. Models follow beside that, since loading takes long: a new version is loaded and measured beside the old
 * one; one transaction makes it ready and the old one retired, then it takes over here. No call fails in between.
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
  /** All that rows name, by deployment. */
  readonly #known = new Map<number, ServedModel>();
  /** What answers now, by model. */
  readonly #serving = new Map<number, ServedModel>();
  /** Loads that failed and will be tried again, by deployment. */
  readonly #failedLoads = new Map<number, FailedLoad>();
  readonly #rng = createRng(process.pid);
  #warmUntilMs = 0;
  readonly #changes = new Changes();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
    this.#listener = new Listener({
      url: options.database.url,
      channels: ['rafiki_deployment'],
      onNotify: () => this.#wake.poke(),
      onConnect: () => this.#wake.poke(),
      logger: options.logger,
    });
  }

  async start(): Promise<void> {
    this.#warmUntilMs = performance.now() + WARM_MS;
    await this.#look();
    await this.#follow();
    await this.#listener.start();
    this.#loops = Promise.all([this.#keepLooking(), this.#keepFollowing()]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#changes.changed();
    await this.#listener.stop();
    await this.#loops;
    this.#serving.clear();
    const models = [...this.#known.values()];
    this.#known.clear();
    await Promise.all(models.map((model) => model.release()));
  }

  get(key: string): ServedModel | undefined {
    const modelId = this.#keys.get(key);
    return modelId === undefined ? undefined : this.#serving.get(modelId);
  }

  current(modelId: number): ServedModel | undefined {
    return this.#serving.get(modelId);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  models(): ServedModel[] {
    return [...this.#serving.values()];
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
    const error = row && this.#failedLoads.get(row.id)?.error;
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
        await this.#follow();
      } catch (error) {
        this.#options.logger.warn({ err: String(error) }, 'cannot follow the deployments');
        this.#lookAgain();
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

  #lookAgain(ms = RETRY_MS): void {
    setTimeout(() => this.#wake.poke(), ms).unref();
  }

  async #follow(): Promise<void> {
    for (const { id } of this.#rows) {
      const row = this.#rows.find((each) => each.id === id); // a load takes long, and the rows change meanwhile
      if (row !== undefined) await this.#followRow(row);
    }
    this.#retire();
    this.#changes.changed();
  }

  /** Makes one row true in memory; a row that cannot be loaded does not stand in the way of the others. */
  async #followRow(row: DeploymentHead): Promise<void> {
    const now = this.#serving.get(row.modelId);
    if (this.#stopping.signal.aborted || (now !== undefined && now.row.id >= row.id)) return;
    if (performance.now() < (this.#failedLoads.get(row.id)?.untilMs ?? 0)) return;
    try {
      const model = this.#known.get(row.id) ?? (await this.#serve(row));
      const isNew = !this.#known.has(row.id);
      this.#known.set(row.id, model);
      if (row.state === 'loading') {
        await model.open();
        await this.#makeReady(row);
      } else if (isNew) await this.#warm(model);
      this.#serving.set(row.modelId, model);
      this.#failedLoads.delete(row.id);
      this.#changes.changed();
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
    const hasPredecessor = this.#serving.has(model.row.modelId);
    if (!hasPredecessor && performance.now() > this.#warmUntilMs) return;
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
      this.#wake.poke();
      throw new InvalidState(`deployment ${row.id} is not loading any more`);
    });
  }

  async #failed(row: DeploymentHead, error: unknown): Promise<void> {
    const { database, logger } = this.#options;
    if (error instanceof InvalidState) return;
    if (isHeld(error)) {
      this.#lookAgain(); // its owner is changing it, in a transaction that is open still
      return;
    }
    const failures = (this.#failedLoads.get(row.id)?.failures ?? 0) + 1;
    const ofMachine = isMachineFault(error);
    const pauseMs = ofMachine ? backoffMs(failures - 1, MACHINE_PAUSE, this.#rng) : RETRY_MS;
    this.#failedLoads.set(row.id, { failures, error, untilMs: performance.now() + pauseMs });
    logger.warn({ deployment: row.id, model: row.model, failures, err: String(error) }, 'a model cannot be loaded');
    this.#changes.changed();
    const unknown = !(error instanceof RafikiError) || error.retryable;
    if (ofMachine || isTransient(error) || (unknown && failures < MAX_LOADS)) {
      this.#lookAgain(pauseMs);
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
  #retire(): void {
    const named = new Set(this.#rows.map((row) => row.id));
    for (const id of this.#failedLoads.keys()) if (!named.has(id)) this.#failedLoads.delete(id);
    for (const [id, model] of this.#known) {
      const { modelId } = model.row;
      const now = this.#serving.get(modelId);
      if (named.has(id) && (now === model || (now !== undefined && now.row.id < id))) continue;
      if (now === model) this.#serving.delete(modelId);
      this.#known.delete(id);
      void model.release().catch((error: unknown) => {
        this.#options.logger.warn({ deployment: id, err: String(error) }, 'a retired model was not freed');
      });
    }
  }
}

const notServed = (): UndefinedObject =>
  new UndefinedObject('the model is not deployed', {
    hint: 'See rafiki.deployments; rafiki_deploy(model, version) puts a version in service.',
  });
