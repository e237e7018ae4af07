import path from 'node:path';
import { EnvironmentUnfit, InvalidParameter } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { withSettings } from '../settings/read.ts';
import { tryPort } from './free-port.ts';
import { SupervisedChild } from './supervisor.ts';

interface ChildrenOptions {
  /** Number of worker processes. */
  workers: number;
  hasHttp: boolean;
  /** Port of the metrics of the first process; the others have the next ones. Absent: none. */
  metricsPort?: number | undefined;
}

export interface ChildProcessesOptions extends ChildrenOptions {
  /** With the settings that all of them have. */
  env: NodeJS.ProcessEnv;
  logFile: string;
  logger: Logger;
}

/** The processes of `up` except PostgreSQL: the same commands that run on other machines. */
export function childProcesses(options: ChildProcessesOptions): SupervisedChild[] {
  const { env, metricsPort, logFile, logger } = options;
  const entry = path.resolve(import.meta.dirname, '../../../dist/cli/main.js');
  return childrenOf(options).map(({ name, command }, i) => {
    const own = { metricsPort: metricsPort === undefined ? undefined : String(metricsPort + i) };
    const spec = { name, args: [command], env: withSettings(env, own) };
    return new SupervisedChild(spec, { entry, logFile, logger });
  });
}

const childrenOf = ({ workers, hasHttp }: ChildrenOptions): { name: string; command: string }[] => [
  { name: 'serving', command: 'serve' },
  { name: 'coordinator', command: 'coordinator' },
  ...Array.from({ length: workers }, (_, i) => ({ name: `worker ${i + 1}`, command: 'worker' })),
  ...(hasHttp ? [{ name: 'http', command: 'http' }] : []),
];

const MAX_PORT = 65_535;

/** Before any child needs its port. Throws {@link EnvironmentUnfit} or {@link InvalidParameter}. */
export async function checkMetricsPorts(options: ChildrenOptions): Promise<void> {
  const { metricsPort: first } = options;
  if (first === undefined) return;
  const children = childrenOf(options);
  const last = first + children.length - 1;
  const hint = `Choose another --metrics-port: ${children.length} processes have one each, now ${first} to ${last}.`;
  if (last > MAX_PORT) throw new InvalidParameter(`there is no port ${last} for metrics`, { hint });
  for (const [i, { name }] of children.entries()) {
    if ((await tryPort(first + i)) !== undefined) continue;
    throw new EnvironmentUnfit(`port ${first + i}, for the metrics of ${name}, is in use`, { hint });
  }
}

/**
 * What the processes take at most, whose pools have 4 connections (`db/database.ts`): serving 4 and 2 listeners; the coordinator 4, a
 * listener, the leader's, and 4 sessions that fill tables, each with one that ends it; HTTP 4, a listener, 16 sessions of
 * roles and 4 that check passwords; `up` itself 1; and 3 that PostgreSQL keeps for superusers.
 */
const OF_OTHERS = 6 + 14 + 25 + 1 + 3;
/** 4, a listener, a session that reads a source, and one that ends it. */
const OF_WORKER = 7;
/** For people and their programs: PostgreSQL's default, which workers on thirty cores would take alone. */
const OF_PEOPLE = 100;

/** `max_connections` of the embedded server. */
export const connectionsFor = (workers: number): number => OF_PEOPLE + OF_OTHERS + OF_WORKER * workers;
