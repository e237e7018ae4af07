// Runs batches that are ready on a session of its own: loads and warms up, then runs them all at each "go".
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';

const { onnx, threads, batches } = workerData;
const session = await ort.InferenceSession.create(onnx, {
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
});
const feeds = batches.map((batch) =>
  Object.fromEntries(
    Object.entries(batch).map(([name, { dtype, data, shape }]) => [name, new ort.Tensor(dtype, data, shape)]),
  ),
);
const runAll = async () => {
  for (const feed of feeds) await session.run(feed);
};
await runAll();
parentPort.on('message', () => void runAll().then(() => parentPort.postMessage('done')));
parentPort.postMessage('ready');
