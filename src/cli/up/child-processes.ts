import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { Logger } from '../../runtime/logger.ts';
import { withSettings } from '../settings/read.ts';
import { SupervisedChild } from './supervisor.ts';

export interface ChildProcessesOptions {
  /** With the settings that all of them have. */
  env: NodeJS.ProcessEnv;
  /** Number of worker processes; default: one per core. */
  workers?: number | undefined;
  hasHttp: boolean;
  /** Port of the metrics of the first process; the others have the next ones. Absent: none. */
  metricsPort?: number | undefined;
  logFile: string;
  logger: Logger;
}

/** The processes of `up` beside PostgreSQL: the same commands that run on other machines. */
export function childProcesses(options: ChildProcessesOptions): SupervisedChild[] {
  const { env, workers = availableParallelism(), hasHttp, metricsPort, logFile, logger } = options;
  const entry = path.resolve(import.meta.dirname, '../../../dist/cli/main.js');
  const processes = [
    { name: 'serving', command: 'serve' },
    { name: 'coordinator', command: 'coordinator' },
    ...Array.from({ length: workers }, (_, i) => ({ name: `worker ${i + 1}`, command: 'worker' })),
    ...(hasHttp ? [{ name: 'http', command: 'http' }] : []),
  ];
  return processes.map(({ name, command }, i) => {
    const own = { metricsPort: metricsPort === undefined ? undefined : String(metricsPort + i) };
    const spec = { name, args: [command], env: withSettings(env, own) };
    return new SupervisedChild(spec, { entry, logFile, logger });
  });
}
