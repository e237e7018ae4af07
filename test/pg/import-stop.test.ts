import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createCoordinator } from '../../src/coordinator/create-coordinator.ts';
import type { ModelFile } from '../../src/domain/training.ts';
import { ModelFiles } from '../../src/params/model-files.ts';
import type { ParamStore } from '../../src/params/param-store.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { ModelMemory } from '../../src/serving/devices/model-memory.ts';
import { DEFAULT_POLICY, policyByName } from '../../src/serving/policies/registry.ts';
import { Serving } from '../../src/serving/serving.ts';
import { onnxFile } from '../support/onnx-files.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startProcesses } from '../support/running.ts';

const cacheDir = mkdtempSync(path.join(tmpdir(), 'rafiki-stop-'));
afterAll(() => rmSync(cacheDir, { recursive: true }));

const fifo = path.join(cacheDir, 'models', '0'.repeat(64));

/** The file of each model is a pipe to which nobody writes: its load does not end. */
class EndlessFiles extends ModelFiles {
  override async fetch(): Promise<ModelFile> {
    return { dir: this.dir, name: path.basename(fifo), bytes: 1_000 };
  }
}

/** A descriptor, once somebody reads the pipe. */
function reader(): number | undefined {
  try {
    return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

test('a server that loads an imported model stops at once, and leaves the model to the next one', async () => {
  const database = await createTestDatabase();
  const { db, service } = database;
  const processes = await startProcesses(service);
  const columns = ['length', 'width', 'height', 'weight'].map((name) => ({ name, type: 'number' }));
  const [begun] = await db.query<{ id: number }>(
    `select rafiki_import('garden', 'tabular_classification', $1, $2, false) as id`,
    [Buffer.from(onnxFile('sklearn_logistic')), JSON.stringify({ columns })],
  );
  await db.query(`select rafiki_wait_import($1, '3 min')`, [begun?.id]);
  await processes.stop();
  await db.query(`select rafiki_deploy('garden', 1)`);

  mkdirSync(path.dirname(fifo), { mode: 0o700 });
  execFileSync('mkfifo', ['-m', '600', fifo]);
  const serving = new Serving({
    ...{ database: service, files: new EndlessFiles({} as ParamStore, cacheDir), memory: new ModelMemory(2 ** 30) },
    ...{ policy: policyByName(DEFAULT_POLICY), threads: 0, synthetic: null, logger },
  });
  await serving.start();
  let opened: number | undefined;
  await expect
    .poll(() => {
      opened ??= reader();
      return opened;
    })
    .toBeDefined();
  await serving.stop(); // otherwise after five minutes
  const deployments = await db.query(
    'select d.state, d.error from rafiki.deployment d join rafiki.model_version v on v.id = d.version_id',
  );
  expect(deployments).toEqual([{ state: 'loading', error: null }]);
  closeSync(opened as number);
  await database.drop();
});

test('a coordinator deletes the folders of checks that were killed, not of one that may be running', async () => {
  const database = await createTestDatabase();
  const imports = path.join(cacheDir, 'imports');
  for (const name of ['import-killed', 'import-running']) mkdirSync(path.join(imports, name), { recursive: true });
  const then = Date.now() / 1000 - 2 * 3600;
  utimesSync(path.join(imports, 'import-killed'), then, then);
  const coordinator = createCoordinator({ database: database.service, cacheDir, logger });
  await coordinator.start();
  await expect.poll(() => readdirSync(imports)).toEqual(['import-running']);
  await coordinator.stop();
  await database.drop();
});
