import { parentPort, workerData } from 'node:worker_threads';
import { shareVectors } from '../../encoders/vector-cache.ts';
import { computeWith } from '../../engine/computing.ts';
import { ReplicaOrders } from './replica-orders.ts';
import type { ThreadData, ThreadOrder } from './thread-orders.ts';

const { device, vectors } = workerData as ThreadData;
computeWith({ device });
shareVectors(vectors);

const orders = new ReplicaOrders((report) => parentPort?.postMessage(report));
parentPort?.on('message', (order: ThreadOrder) => orders.receive(order));
