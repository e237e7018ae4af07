import { parentPort, workerData } from 'node:worker_threads';
import { shareVectors } from '../../encoders/vector-cache.ts';
import { computeWith } from '../../engine/computing.ts';
import { reportError } from '../../errors/rafiki-error.ts';
import type { MemberOutput } from './device.ts';
import { Replica } from './replica.ts';
import { type Report, type ThreadData, type ThreadOrder, textSeparator } from './thread-orders.ts';

const { device, vectors } = workerData as ThreadData;
computeWith({ device });
shareVectors(vectors);

const replicas = new Map<number, Replica>();

async function execute(order: ThreadOrder): Promise<MemberOutput[]> {
  const replica = replicas.get(order.id);
  switch (order.kind) {
    case 'load':
      replicas.set(order.id, await Replica.load(order.files));
      return [];
    case 'run':
      if (replica === undefined) throw notLoaded(order);
      return replica.run(order.inputs.split(textSeparator), order.subset);
    case 'explain':
      if (replica === undefined) throw notLoaded(order);
      return replica.explain(order.orders.split(textSeparator), order.ensemble);
    case 'unload':
      replicas.delete(order.id);
      await replica?.release();
      return [];
  }
}

const notLoaded = ({ id }: ThreadOrder): Error => new Error(`model ${id} is not loaded on this thread`);

async function report(order: ThreadOrder): Promise<Report> {
  try {
    return { ok: true, outputs: await execute(order) };
  } catch (error) {
    return { ok: false, error: reportError(error) };
  }
}

/** Sequential: replies are matched with orders by position, and a model must not be unloaded while it runs. */
let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (order: ThreadOrder) => {
  last = last.then(() => report(order)).then((answer) => parentPort?.postMessage(answer));
});
