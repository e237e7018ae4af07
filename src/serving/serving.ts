import path from 'node:path';
import type { Database } from '../db/database.ts';
import { Heartbeat } from '../db/heartbeat.ts';
import type { DeploymentRow } from '../db/statements/serving/deployments.ts';
import { computing } from '../engine/computing.ts';
import type { ModelFiles } from '../params/model-files.ts';
import { systemClock } from '../runtime/clock.ts';
import { defaultImportMemory } from '../runtime/limited/default-memory.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Measured, MeasuredService } from '../runtime/measured.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { AnswerCache } from './answer-cache.ts';
import { Deployments } from './deployments.ts';
import { InferenceThreads } from './devices/inference-threads.ts';
import { ModelLoader } from './devices/model-loader.ts';
import type { ModelMemory } from './devices/model-memory.ts';
import type { SyntheticTiming } from './devices/synthetic-device.ts';
import { OwnerProcesses } from './foreign/owner-processes.ts';
import { Machine } from './machine/machine.ts';
import { measuredModels } from './measured-models.ts';
import { accuraciesOf, askedMembers, ServedFleet } from './policies/fleet.ts';
import type { PolicyKind } from './policies/registry.ts';
import { PredictStat } from './predict-stat.ts';
import { ServedModel } from './served-model.ts';
import { Client } from './session/client.ts';
import { StatWriter } from './stat-writer.ts';
import { WeightKeeper } from './weight-keeper.ts';

export interface ServingOptions {
  database: Database;
  files: ModelFiles;
  memory: ModelMemory;
  policy: PolicyKind;
  /** Inference threads; also the number of one model's parallel batches. */
  threads: number;
  /** Maximum for the imported models of one owner. */
  importMemoryBytes?: number | undefined;
  /** For measurements only. */
  synthetic: SyntheticTiming | null;
  logger: Logger;
}

/** Answers predictions of every deployment, from memory. */
export class Serving implements Service, MeasuredService {
  readonly #options: ServingOptions;
  readonly #cache = new AnswerCache();
  readonly #stats = new Map<number, PredictStat>();
  readonly #threads: InferenceThreads;
  readonly #processes: OwnerProcesses;
  readonly #loader: ModelLoader;
  readonly #machine: Machine;
  readonly #deployments: Deployments;
  readonly #weights: WeightKeeper;
  readonly #services: readonly Service[];

  constructor(options: ServingOptions) {
    const { database, logger, threads } = options;
    this.#options = options;
    this.#threads = new InferenceThreads({ threads, logger });
    const { importMemoryBytes: memoryBytes = defaultImportMemory(), files } = options;
    this.#processes = new OwnerProcesses({
      memoryBytes,
      parentDir: path.join(path.dirname(files.dir), 'imported'),
      logger,
    });
    this.#loader = new ModelLoader({ ...options, pool: this.#threads, processes: this.#processes });
    this.#machine = new Machine({ slots: this.#loader.servers, clock: systemClock });
    this.#deployments = new Deployments({ database, logger, serve: (row) => this.#serve(row) });
    const heartbeat = new Heartbeat({ database, kind: 'serving', threads, device: computing().device, logger });
    const stats = new StatWriter({ database, heartbeat, logger, stats: () => this.#stats });
    this.#weights = new WeightKeeper({ database, logger, models: () => this.#deployments.models() });
    // a stop waits for no foreign graph, and so ends these first
    const foreignLast = { start: async () => undefined, stop: () => this.#processes.stop() };
    this.#services = [this.#threads, this.#processes, this.#deployments, heartbeat, stats, this.#weights, foreignLast];
  }

  start(): Promise<void> {
    return startAll(this.#services);
  }

  stop(): Promise<void> {
    return stopAll(this.#services);
  }

  connect(): Client {
    return new Client({ models: this.#deployments, clock: systemClock });
  }

  measured(): readonly Measured[] {
    return measuredModels(this.#deployments.models());
  }

  /** Whether no batch is running on a thread. */
  isIdle(): boolean {
    return this.#threads.isIdle;
  }

  #serve(row: DeploymentRow): ServedModel {
    const { policy, logger } = this.#options;
    const members = askedMembers(row);
    const accuracy = accuraciesOf(row, members);
    const { foreignOwner } = row;
    const servers = foreignOwner === null ? this.#loader.servers : 1;
    const fleet = new ServedFleet({ members, accuracy, servers });
    const stat = this.#statOf(row.modelId);
    const onMeasured = async (): Promise<void> => {
      await this.#weights.restore(model);
      logger.info({ model: row.model, version: row.version, latencyMs: fleet.describe() }, 'model measured');
    };
    const device = this.#loader.device({ row, fleet, stat, onMeasured });
    const model = new ServedModel({
      row,
      device,
      fleet,
      policy,
      cache: this.#cache,
      stat,
      machine: foreignOwner === null ? this.#machine : this.#processes.machineOf(foreignOwner),
      clock: systemClock,
    });
    return model;
  }

  #statOf(modelId: number): PredictStat {
    const stat = this.#stats.get(modelId) ?? new PredictStat();
    this.#stats.set(modelId, stat);
    return stat;
  }
}
