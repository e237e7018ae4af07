import type { Database } from '../db/database.ts';
import { Listener } from '../db/listener.ts';
import { moveDeployment } from '../db/statements/moves.ts';
import { type DeploymentRow, holdReady, selectDeployments } from '../db/statements/serving.ts';
import { InvalidState, NotReady, OutOfMemory, UndefinedObject } from '../errors/errors.ts';
import { RafikiError, reportError } from '../errors/rafiki-error.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { Wake } from '../runtime/wake.ts';
import type { ModelDirectory } from './client.ts';
import type { ServedModel } from './served-model.ts';

export interface DeploymentsOptions {
  database: Database;
  logger: Logger;
  /** Makes a deployment ready to be asked; its model comes into memory when that is. */
  serve(row: DeploymentRow): ServedModel;
}

/** NOTIFY is the hint; this often the rows are looked at anyway. */
const POLL_MS = 5000;
const RETRY_MS = 500;
/** How long a call waits for a model that is being loaded. */
const ARRIVAL_MS = 30_000;
/** A server that starts brings models into memory for so long before anybody can ask. */
const WARM_MS = 5000;
/** A load that fails for a passing reason (the database went away) is tried so often. */
const MAX_LOADS = 3;

/**
 * Answers for what the rows of rafiki.deployment say. A new version is loaded and measured beside the old one; one
 * transaction makes it ready and the old one retired, then it takes over here. No call fails in between.
 */
export class Deployments implements Service, ModelDirectory {
  readonly #options: DeploymentsOptions;
  readonly #wake = new Wake();
  readonly #listener: Listener;
  readonly #stopping = new AbortController();
  /** All that rows name, by deployment. */
  readonly #known = new Map<number, ServedModel>();
  /** What answers now, by key. */
  readonly #serving = new Map<string, ServedModel>();
  /** Loads that failed and will be tried again, by deployment. */
  readonly #failedLoads = new Map<number, number>();
  /** Keys that have no version in memory yet and will have one. */
  #coming = new Set<string>();
  #scanned = 0;
  #warmUntilMs = 0;
  #onScan = new Set<() => void>();
  #loop: Promise<void> | undefined;

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
    await this.#scan();
    await this.#listener.start();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#listener.stop();
    await this.#loop;
    this.#serving.clear();
    const models = [...this.#known.values()];
    this.#known.clear();
    await Promise.all(models.map((model) => model.release()));
  }

  get(key: string): ServedModel | undefined {
    return this.#serving.get(key);
  }

  models(): ServedModel[] {
    return [...this.#serving.values()];
  }

  async arrival(key: string): Promise<ServedModel> {
    const deadline = performance.now() + ARRIVAL_MS;
    // The row may be newer than our last look, and the look that runs now may have begun before it: two more will show it.
    const enough = this.#scanned + 2;
    this.#wake.poke();
    while (performance.now() < deadline && !this.#stopping.signal.aborted) {
      const model = this.#serving.get(key);
      if (model !== undefined) return model;
      if (this.#scanned >= enough && !this.#coming.has(key)) throw notServed();
      if (this.#scanned < enough) this.#wake.poke();
      await this.#nextScan(deadline - performance.now());
    }
    throw new NotReady('the model is still being loaded', {
      hint: 'Ask again in a moment; the log of serving says more.',
    });
  }

  #nextScan(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, ms));
      this.#onScan.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let pauseMs = POLL_MS;
    while (!signal.aborted) {
      await this.#wake.wait(pauseMs, signal);
      if (signal.aborted) return;
      try {
        await this.#scan();
        pauseMs = POLL_MS;
      } catch (error) {
        this.#options.logger.warn({ err: String(error) }, 'cannot look at the deployments');
        pauseMs = RETRY_MS;
      }
    }
  }

  async #scan(): Promise<void> {
    const rows = await selectDeployments(this.#options.database);
    this.#coming = new Set(rows.map((row) => row.key).filter((key) => !this.#serving.has(key)));
    for (const row of rows) await this.#follow(row);
    const retried = rows.filter((row) => this.#failedLoads.has(row.id) && !this.#serving.has(row.key));
    this.#coming = new Set(retried.map((row) => row.key));
    this.#retire(rows);
    this.#scanned++;
    for (const wakeUp of this.#onScan) wakeUp();
    this.#onScan.clear();
  }

  /** Makes one row true in memory; a row that cannot be loaded does not stand in the way of the others. */
  async #follow(row: DeploymentRow): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    try {
      const model = this.#known.get(row.id) ?? this.#options.serve(row);
      const isNew = !this.#known.has(row.id);
      this.#known.set(row.id, model);
      if (row.state === 'loading') {
        await model.open();
        await this.#makeReady(row);
      } else if (isNew) await this.#warm(model);
      this.#serving.set(row.key, model);
      this.#failedLoads.delete(row.id);
    } catch (error) {
      await this.#failed(row, error);
    }
  }

  /** A model that answers elsewhere, or did before a restart: it comes now where room and time are, or with the first question. */
  async #warm(model: ServedModel): Promise<void> {
    const hasPredecessor = this.#serving.has(model.row.key);
    if (!hasPredecessor && performance.now() > this.#warmUntilMs) return;
    try {
      await model.open({ mayEvict: hasPredecessor });
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      this.#options.logger.warn({ model: model.row.model, err: String(error) }, 'a model cannot be loaded here');
    }
  }

  async #makeReady(row: DeploymentRow): Promise<void> {
    const { database, logger } = this.#options;
    await database.transaction(async (on) => {
      const mover = { on, logger };
      const old = await holdReady(on, row.modelId);
      if (old !== undefined && old !== row.id) await moveDeployment(mover, { id: old, from: 'ready', event: 'retire' });
      if (await moveDeployment(mover, { id: row.id, from: 'loading', event: 'load' })) return;
      // Another server was faster, or it was retired meanwhile: the old one stays as it was, the next scan tells.
      this.#wake.poke();
      throw new InvalidState(`deployment ${row.id} is not loading any more`);
    });
  }

  async #failed(row: DeploymentRow, error: unknown): Promise<void> {
    const { database, logger } = this.#options;
    if (error instanceof InvalidState) return;
    const failures = (this.#failedLoads.get(row.id) ?? 0) + 1;
    this.#failedLoads.set(row.id, failures);
    logger.warn({ deployment: row.id, model: row.model, failures, err: String(error) }, 'a model cannot be loaded');
    const passing = !(error instanceof RafikiError) || error.retryable;
    if (passing && failures < MAX_LOADS) {
      setTimeout(() => this.#wake.poke(), RETRY_MS).unref();
      return;
    }
    this.#failedLoads.delete(row.id);
    await moveDeployment(
      { on: database, logger },
      { id: row.id, from: row.state, event: 'fail', error: reportError(error) },
    );
  }

  /** Takes out of memory what no row names any more; its last questions are answered first. */
  #retire(rows: readonly DeploymentRow[]): void {
    const named = new Set(rows.map((row) => row.id));
    for (const [id, model] of this.#known) {
      const current = this.#serving.get(model.row.key);
      if (named.has(id) && current === model) continue;
      if (named.has(id) && current?.row.id !== undefined && current.row.id < id) continue;
      if (current === model) this.#serving.delete(model.row.key);
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
