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

/** The array form compared with ONNX Runtime alone on prepared tensors, in alternating rounds: the quicker of one session with two threads and two with one. */
export async function* besideRaw(
  { session, admin }: Pick<PredictStage, 'session' | 'admin'>,
  rounds: number,
): AsyncIterable<Figure> {
  for (const [family, model] of Object.entries(models)) {
    const trained = await trainedModel(admin, model);
    await freshTable(session, 'raw', ROWS);
    const texts = (await session.query<{ body: string }>('select body from bench_scan')).map(({ body }) => body);
    const batches = await encode(trained, texts);
    const runners = await Promise.all([
      startRaw(trained.onnx, [batches], CORES),
      startRaw(
        trained.onnx,
        Array.from({ length: CORES }, (_, i) => batches.filter((_, b) => b % CORES === i)),
        1,
      ),
    ]);
    const rawMs: number[] = [];
    const arrayMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      rawMs.push(Math.min(...(await inTurn(runners.map((runner) => runner.run)))));
      await freshTable(session, `compared with raw ${round}`, ROWS);
      arrayMs.push(
        await timed(
          session,
          `select cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan)))`,
        ),
      );
    }
    await Promise.all(runners.map((runner) => runner.stop()));
    yield compare(`predict-array-${family}`, { ...byTurns(arrayMs, rawMs), peer: 'raw ONNX Runtime', bar: 1.3 });
  }
}

/** The model file of a deployment, read as a superuser. */
export async function trainedModel(admin: Database, model: string): Promise<TrainedModel> {
  const [member] = await admin.query<{ id: number }>(
    `select e.params_id as id from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state = 'ready'
     join rafiki.model_member e on e.version_id = d.version_id and e.rank = 0 where m.name = $1`,
    [model],
  );
  return unpackModel(await new PostgresParamStore({ database: admin }).load(member?.id ?? 0));
}

async function encode({ features }: TrainedModel, texts: readonly string[]): Promise<TensorData[]> {
  const rows = await createEncoder(features).prepare(texts);
  const order = Int32Array.from(texts, (_, row) => row).sort((a, b) => rows.length(a) - rows.length(b));
  const batches: TensorData[] = [];
  for (let from = 0; from < order.length; from += SLICE_ROWS) {
    batches.push(...Object.values(rows.batch(order.subarray(from, from + SLICE_ROWS))));
  }
  return batches;
}

interface Raw {
  run(): Promise<number>;
  stop(): Promise<unknown>;
}

/** A thread for each part of the batches. */
async function startRaw(onnx: Uint8Array, parts: readonly TensorData[][], threads: number): Promise<Raw> {
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

async function inTurn(runs: readonly (() => Promise<number>)[]): Promise<number[]> {
  const times: number[] = [];
  for (const run of runs) times.push(await run());
  return times;
}
