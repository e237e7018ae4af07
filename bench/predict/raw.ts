import { Worker } from 'node:worker_threads';
import type { Database } from '../../src/db/database.ts';
import type { TensorData } from '../../src/domain/tensor.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { unpackModel } from '../../src/params/model-codec.ts';
import { PostgresParamStore } from '../../src/params/param-store.ts';
import type { Figure } from '../figure.ts';
import { byTurns, compare, freshTable, timed } from './measure.ts';
import { models, type PredictStage } from './stage.ts';

const ROWS = 10_000;
/** Rows sorted by length, as in serving, and larger batches than there: fewer calls. */
const SLICE_ROWS = 32;
const CORES = 2;

/** A model's inputs for some rows, by name. */
type RawBatch = Record<string, TensorData>;

/** The array form compared with ONNX Runtime alone on prepared tensors, in alternating rounds: the quicker of one session with two threads and two with one. */
export async function* besideRaw(
  { session, admin }: Pick<PredictStage, 'session' | 'admin'>,
  rounds: number,
): AsyncIterable<Figure> {
  for (const [family, model] of Object.entries(models)) {
    const trained = await trainedModel(admin, model);
    await freshTable(session, 'raw', ROWS);
    const texts = (await session.query<{ body: string }>('select body from bench_scan')).map(({ body }) => body);
    const batches = await encodedBatches(trained, texts, SLICE_ROWS);
    const raw = await RawRuns.start(trained.onnx, batches);
    const rawMs: number[] = [];
    const arrayMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      rawMs.push(await raw.quickestMs());
      await freshTable(session, `compared with raw ${round}`, ROWS);
      arrayMs.push(
        await timed(
          session,
          `select cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan)))`,
        ),
      );
    }
    await raw.stop();
    yield compare(`predict-array-${family}`, { ...byTurns(arrayMs, rawMs), peer: 'raw ONNX Runtime', bar: 1.3 });
  }
}

/** The model file of a deployment, read as a superuser. */
export async function trainedModel(admin: Database, model: string): Promise<TrainedModel> {
  const [member] = await admin.query<{ id: number }>(
    `select e.answering_params_id as id from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state = 'ready'
     join rafiki.model_member e on e.version_id = d.version_id and e.rank = 0 where m.name = $1`,
    [model],
  );
  return unpackModel(await new PostgresParamStore({ database: admin }).load(member?.id ?? 0));
}

/** Prepared tensors of inputs, in batches of this many rows of similar length. */
export async function encodedBatches(
  { features }: TrainedModel,
  inputs: readonly string[],
  batchRows: number,
): Promise<RawBatch[]> {
  const rows = await createEncoder(features).prepare(inputs);
  const order = Int32Array.from(inputs, (_, row) => row).sort((a, b) => rows.length(a) - rows.length(b));
  const batches: RawBatch[] = [];
  for (let from = 0; from < order.length; from += batchRows)
    batches.push(rows.batch(order.subarray(from, from + batchRows)));
  return batches;
}

/** ONNX Runtime alone on both cores, in two ways: one session with two threads, and two sessions with one. */
export class RawRuns {
  readonly #runners: readonly Raw[];

  private constructor(runners: readonly Raw[]) {
    this.#runners = runners;
  }

  static async start(onnx: Uint8Array, batches: readonly RawBatch[]): Promise<RawRuns> {
    const halves = Array.from({ length: CORES }, (_, i) => batches.filter((_, b) => b % CORES === i));
    return new RawRuns(await Promise.all([startRaw(onnx, [batches], CORES), startRaw(onnx, halves, 1)]));
  }

  /** Runs all batches in both ways, and returns the time of the quicker. */
  async quickestMs(): Promise<number> {
    const times: number[] = [];
    for (const runner of this.#runners) times.push(await runner.run());
    return Math.min(...times);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop()));
  }
}

interface Raw {
  run(): Promise<number>;
  stop(): Promise<unknown>;
}

/** A thread for each part of the batches. */
async function startRaw(onnx: Uint8Array, parts: readonly (readonly RawBatch[])[], threads: number): Promise<Raw> {
  const workers = parts.map((batches) => {
    const workerData = { onnx, threads, batches };
    return new Worker(new URL('./raw-thread.mjs', import.meta.url), { workerData });
  });
  const heard = (): Promise<unknown> =>
    Promise.all(
      workers.map(
        (worker) =>
          new Promise((resolve, reject) => {
            worker.once('error', reject);
            worker.once('message', () => {
              worker.off('error', reject);
              resolve(undefined);
            });
          }),
      ),
    );
  await heard();
  return {
    run: async () => {
      const startedMs = performance.now();
      const done = heard();
      for (const worker of workers) worker.postMessage('go');
      await done;
      return performance.now() - startedMs;
    },
    stop: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}
