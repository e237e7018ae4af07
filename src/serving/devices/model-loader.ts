import { availableParallelism } from 'node:os';
import type { DeploymentRow } from '../../db/statements/serving/deployments.ts';
import { inputOf, outputOf } from '../../domain/task.ts';
import type { ModelFiles } from '../../params/model-files.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ForeignDevice } from '../foreign/foreign-device.ts';
import type { OwnerProcesses } from '../foreign/owner-processes.ts';
import type { ServedFleet } from '../policies/fleet.ts';
import type { PredictStat } from '../predict-stat.ts';
import { CpuDevice, copiesOn } from './cpu-device.ts';
import type { ThreadPool } from './inference-threads.ts';
import { measureLatency } from './measure.ts';
import type { ModelMemory } from './model-memory.ts';
import { encodersOf, replicaBytes } from './replica.ts';
import { type Loadable, ResidentDevice } from './resident-device.ts';
import { sampleInput } from './sample-input.ts';
import { chooseThreads } from './session-threads.ts';
import { SyntheticDevice, type SyntheticTiming } from './synthetic-device.ts';

export interface ModelLoaderOptions {
  files: ModelFiles;
  memory: ModelMemory;
  pool: ThreadPool;
  processes: OwnerProcesses;
  /** For measurements only. */
  synthetic: SyntheticTiming | null;
  logger: Logger;
}

export interface LoadTarget {
  row: DeploymentRow;
  /** Gets the measured latencies at the first load. */
  fleet: ServedFleet;
  stat: PredictStat;
  onMeasured(): Promise<void>;
}

/** Loads deployed models onto the inference threads. */
export class ModelLoader {
  readonly #options: ModelLoaderOptions;
  /** Batches that run in parallel, of all models together. */
  readonly servers: number;

  constructor(options: ModelLoaderOptions) {
    this.#options = options;
    this.servers = options.synthetic === null ? Math.max(1, options.pool.size) : 1;
  }

  device({ row, fleet, stat, onMeasured }: LoadTarget): ResidentDevice {
    const sample = sampleInput(inputOf(row.task), row.columns ?? []);
    const sessions = { threads: 1 };
    return new ResidentDevice({
      name: `model "${row.model}", version ${row.version},`,
      owner: row.foreignOwner,
      memory: this.#options.memory,
      fetch: () => this.#fetch(row, { fleet, sample, sessions }),
      onFirstLoad: async (loaded) => {
        const own = loaded instanceof ForeignDevice ? loaded.sample : undefined;
        fleet.measured(await measureLatency(loaded, fleet.members, own ?? (await sample)));
        await onMeasured();
      },
      onLoad: () => {
        stat.loads++;
      },
      onBytes: (more) => {
        stat.bytes += more;
      },
      logger: this.#options.logger,
    });
  }

  async #fetch(
    { task, classes, members, foreignOwner }: DeploymentRow,
    { fleet, sample, sessions }: { fleet: ServedFleet; sample: Promise<string>; sessions: { threads: number } },
  ): Promise<Loadable> {
    const { files, pool, processes, synthetic } = this.#options;
    const asked = members.slice(0, fleet.members);
    const ensemble = {
      models: await Promise.all(
        asked.map(async ({ paramsId, encoderId }) => ({
          ...(await files.fetch(paramsId)),
          ...(encoderId === null ? {} : { encoder: await files.fetch(encoderId) }),
        })),
      ),
      inputKind: inputOf(task),
    };
    if (foreignOwner !== null) {
      const bytes = replicaBytes(ensemble);
      const form = { kind: outputOf(task), classes: classes.length };
      const load = () => ForeignDevice.load(processes.processOf(foreignOwner), { ...ensemble, threads: 1 }, form);
      // a process of its own has encoders of its own
      const shared = encodersOf(ensemble).map((each) => ({ ...each, key: `${foreignOwner} ${each.key}` }));
      return { bytes, grownBytes: bytes, shared, grownCopies: 1, prepare: async () => undefined, load };
    }
    return {
      bytes: replicaBytes(ensemble),
      grownBytes: copiesOn(pool) * replicaBytes(ensemble),
      shared: encodersOf(ensemble),
      grownCopies: Math.max(1, pool.size), // none on the event loop
      prepare: async () => {
        const cores = availableParallelism();
        sessions.threads = await chooseThreads({ pool, ensemble, sample: await sample, cores });
      },
      load: async () => {
        const rowsWithin = (ms: number): number => fleet.rowsWithin(ms);
        const cpu = await CpuDevice.load({ files: { ...ensemble, ...sessions }, pool, rowsWithin });
        return synthetic === null ? cpu : new SyntheticDevice(cpu, synthetic);
      },
    };
  }
}
