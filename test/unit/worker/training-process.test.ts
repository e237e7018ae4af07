import { expect, test } from 'vitest';
import type { JoinAssignment } from '../../../src/training/messages.ts';
import { TrainingProcess } from '../../../src/worker/training-process.ts';

const assignment: JoinAssignment = {
  ...{ kind: 'join', task: 'sentiment', family: 'fasttext', knobs: {}, seed: 1, threads: 1 },
  ...{ computing: { device: 'cpu', engine: 'onnx' }, logLevel: 'silent', sources: [] },
  ...{ dataFile: '/nowhere/rows', shard: { index: 0, count: 1 }, validation: 0.2, metric: 'accuracy', balanced: false },
  ...{ noiseSeed: 1, processId: 1, folder: null },
};

test('a training process says that its machine is at fault if it cannot read its rows', async () => {
  let training: TrainingProcess | undefined;
  const said = new Promise((resolve) => {
    training = new TrainingProcess(assignment, {
      onMessage: (message) => message.kind !== 'began' && resolve(message),
      onEnd: resolve,
    });
  });
  expect(await said).toMatchObject({ kind: 'failed', ofMachine: true, error: { sqlstate: '58P01' } });
  await training?.kill();
});
