import type { Database } from '../db/database.ts';
import { Presence } from '../db/presence.ts';
import type { DeploymentRow } from '../db/statements/serving.ts';
import { inputOf } from '../domain/task.ts';
import { chosenDevice } from '../engine/device-name.ts';
import { unpackModel } from '../params/model-codec.ts';
import type { ParamStore } from '../params/param-store.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Service, startAll, stopAll } from '../runtime/service.ts';
import { AnswerCache } from './answer-cache.ts';
import { Client } from './client.ts';
import { CpuDevice } from './cpu-device.ts';
import { Deployments } from './deployments.ts';
import type { Device } from './device.ts';
import { answeringMembers } from './ensemble.ts';
import { InferenceThreads } from './inference-threads.ts';
import type { PolicyKind } from './policies/registry.ts';
import { PredictStat } from './predict-stat.ts';
import type { EnsembleFiles } from './replica.ts';
import { sampleInput } from './sample-input.ts';
import { ServedModel } from './served-model.ts';
import { StatWriter } from './stat-writer.ts';
import { SyntheticDevice, type SyntheticTiming } from './synthetic-device.ts';
import { WeightKeeper } from './weight-keeper.ts';

export interface ServingOptions {
  database: Database;
  params: ParamStore;
  policy: PolicyKind;
  /** Inference threads; batches of one model run on so many at once. */
  threads: number;
  /** For measuring only. */
  synthetic: SyntheticTiming | null;
  logger: Logger;
}

/** What {@link Serving.describe} tells of one model. */
export interface ServedDescription {
  model: string;
  version: number;
  families: string[];
  /** c(b), ms, by batch size. */
  latencyMs: Record<string, number>;
}

/** Answers for every deployment, from memory. */
export class Serving implements Service {
  readonly #options: ServingOptions;
  readonly #cache = new AnswerCache();
  readonly #stats = new Map<number, PredictStat>();
  readonly #threads: InferenceThreads;
  readonly #deployments: Deployments;
  readonly #weights: WeightKeeper;
  readonly #services: readonly Service[];

  constructor(options: ServingOptions) {
    const { database, logger, threads } = options;
    this.#options = options;
    this.#threads = new InferenceThreads({ threads, logger });
    this.#deployments = new Deployments({ database, logger, load: (row) => this.#load(row) });
    const presence = new Presence({ database, kind: 'serving', threads, device: chosenDevice(), logger });
    const stats = new StatWriter({ database, presence, logger, stats: () => this.#stats });
    this.#weights = new WeightKeeper({ database, logger, models: () => this.#deployments.models() });
    this.#services = [this.#threads, this.#deployments, presence, stats, this.#weights];
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

  /** Whether no batch runs on a thread. */
  isCalm(): boolean {
    return this.#threads.isIdle;
  }

  describe(): { policy: string; models: ServedDescription[] } {
    const models = this.#deployments.models().map(({ row, fleet }) => ({
      model: row.model,
      version: row.version,
      families: row.members.map((member) => member.family),
      latencyMs: fleet.describe(),
    }));
    return { policy: this.#options.policy.name, models };
  }

  async #load(row: DeploymentRow): Promise<ServedModel> {
    const { params, policy, logger } = this.#options;
    const input = inputOf(row.task);
    const sample = await sampleInput(input);
    const members = row.members.slice(0, answeringMembers(row.task, row.members.length));
    const models = await Promise.all(members.map(async ({ paramsId }) => unpackModel(await params.load(paramsId))));
    const device = await this.#device({ models, input }, sample);
    try {
      const stat = this.#statOf(row.modelId);
      const cache = this.#cache;
      const model = await ServedModel.load({ row, device, policy, cache, stat, clock: systemClock, sample });
      await this.#weights.restore(model);
      logger.info({ model: row.model, version: row.version, latencyMs: model.fleet.describe() }, 'model loaded');
      return model;
    } catch (error) {
      await device.release();
      throw error;
    }
  }

  async #device(files: EnsembleFiles, sample: string): Promise<Device> {
    const cpu = await CpuDevice.load(files, this.#threads, sample);
    const { synthetic } = this.#options;
    return synthetic === null ? cpu : new SyntheticDevice(cpu, synthetic);
  }

  #statOf(modelId: number): PredictStat {
    const stat = this.#stats.get(modelId) ?? new PredictStat();
    this.#stats.set(modelId, stat);
    return stat;
  }
}
