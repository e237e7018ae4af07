import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packModel } from '../../../src/params/model-codec.ts';
import { ModelFiles } from '../../../src/params/model-files.ts';
import type { ParamStore } from '../../../src/params/param-store.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import type { EnsembleFiles } from '../../../src/serving/devices/replica.ts';
import { OwnerProcesses } from '../../../src/serving/foreign/owner-processes.ts';
import { checked, onnxFile } from '../../support/onnx-files.ts';

let dir: string;
let files: EnsembleFiles;
let processes: OwnerProcesses;

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-owners-'));
  const columns = ['length', 'width', 'height', 'weight'].map((name) => ({ name, type: 'number' }));
  const found = await checked(onnxFile('sklearn_logistic'), 'tabular_classification', { columns });
  const params = packModel(found.members[0]!.model);
  const store = { load: async () => params } as Partial<ParamStore> as ParamStore;
  files = { models: [await new ModelFiles(store, dir).fetch(1)], inputKind: 'columns', threads: 1 };
  processes = new OwnerProcesses({
    memoryBytes: 2 ** 30,
    parentDir: path.join(dir, 'owners'),
    maxProcesses: 2,
    logger,
  });
  await processes.start();
});
afterAll(async () => {
  await processes.stop();
  rmSync(dir, { recursive: true });
});

const running = (owners: readonly number[]): number =>
  owners.filter((owner) => processes.processOf(owner).isRunning).length;

test('those that are starting count, so that no more run than may', async () => {
  await processes.processOf(1).load(files);
  const loads = await Promise.allSettled([2, 3, 4].map((owner) => processes.processOf(owner).load(files)));
  expect(running([1, 2, 3, 4])).toBe(2);
  const refused = loads.flatMap((load) => (load.status === 'rejected' ? [load.reason] : []));
  expect(refused).toMatchObject([{ sqlstate: '53400', message: 'imported models of too many owners are at work' }]);
  await processes.processOf(4).load(files); // in place of one that is idle by now
  expect(running([1, 2, 3, 4])).toBe(2);
});
