import path from 'node:path';
import type { Logger } from '../../runtime/logger.ts';
import { SupervisedChild } from './supervisor.ts';

export interface ChildrenOptions {
  env: NodeJS.ProcessEnv;
  dataDir: string;
  workers: number;
  hasHttp: boolean;
  logger: Logger;
}

/** The processes that `up` keeps running besides Postgres, which log into its data folder. */
export function createChildren({ env, dataDir, workers, hasHttp, logger }: ChildrenOptions): SupervisedChild[] {
  const entry = path.resolve(import.meta.dirname, '../../../dist/cli/main.js');
  const logFile = path.join(dataDir, 'rafiki.log');
  const child = (name: string, command: string): SupervisedChild =>
    new SupervisedChild({ name, args: [command], env }, { entry, logFile, logger });
  return [
    child('serving', 'serve'),
    child('coordinator', 'coordinator'),
    ...(hasHttp ? [child('http', 'http')] : []),
    ...Array.from({ length: workers }, (_, i) => child(`worker ${i + 1}`, 'worker')),
  ];
}
