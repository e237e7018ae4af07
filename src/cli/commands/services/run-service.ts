import { setTimeout as sleep } from 'node:timers/promises';
import { Database } from '../../../db/database.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { MeasuredService } from '../../../runtime/measured.ts';
import { recent } from '../../../runtime/recent.ts';
import { type Service, startAll, stopAll } from '../../../runtime/service.ts';
import { loginRefused } from '../../logins.ts';
import type { SettingValues } from '../../settings/read.ts';
import { notifySupervisor, startAliveMessages } from '../../up/supervisor.ts';
import { loggerOf } from '../command.ts';
import { requireUrl } from '../database-url.ts';
import { untilSignal } from '../signals.ts';
import { checkDatabase } from './check-database.ts';

/** Of every process. */
export const metricsSettings = ['metricsPort', 'metricsHost', 'metricsToken'] as const;
/** Of the processes that answer. */
export const traceSettings = ['tracesUrl', 'tracesShare'] as const;

/** The process must be able to stop even if Postgres does not respond: the leases of its work then expire. */
const STOP_MS = 15_000;

interface Common {
  database: Database;
  logger: Logger;
}

/** How long an answer of Postgres counts: a client of the port needs no token to ask. */
const READY_MS = 1_000;
/** A probe that waits longer is a failed one. */
const PROBE_MS = 2_000;

/** Whether the database answers. */
async function reaches(database: Database): Promise<boolean> {
  const answers = database.query('select').then(
    () => true,
    () => false,
  );
  return Promise.race([answers, sleep(PROBE_MS, false, { ref: false })]);
}

/** Runs a service until a signal arrives or the parent process exits. */
export async function runService(
  name: string,
  settings: SettingValues<'databaseUrl' | 'log' | (typeof metricsSettings)[number]> &
    Partial<SettingValues<(typeof traceSettings)[number]>>,
  create: (common: Common) => Service & MeasuredService,
): Promise<void> {
  startAliveMessages();
  const logger = loggerOf(name, settings);
  const database = new Database({ url: requireUrl(settings), application: `rafiki ${name}`, logger });
  const check = { start: () => checkDatabase(database), stop: async () => undefined };
  const service = create({ database, logger });
  const services: Service[] = [database, check, service];
  const {
    metricsPort: port,
    metricsHost: host,
    metricsToken: token,
    tracesUrl: url,
    tracesShare: share = 0,
  } = settings;
  if (port !== undefined) {
    const isReady = recent(() => reaches(database), READY_MS, false);
    const { MetricsServer } = await import('../../../metrics/metrics-server.ts');
    services.push(new MetricsServer({ process: name, service, host, port, token, isReady, logger }));
  }
  if (url !== undefined) {
    const { createSpanExporter } = await import('../../../tracing/span-exporter.ts');
    services.push(createSpanExporter({ process: name, url, share, logger }));
  }
  await startAll(services).catch((error: unknown) => {
    throw loginRefused(error);
  });
  logger.info('ready');
  notifySupervisor('ready');
  await untilSignal();
  logger.info('stopping');
  await Promise.race([stopAll(services), sleep(STOP_MS, undefined, { ref: false })]);
  if (process.connected) process.disconnect();
}
