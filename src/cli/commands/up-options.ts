import type { Given } from '../settings/read.ts';
import { dataDirOr } from '../up/data-dir.ts';
import type { UpOptions } from '../up/up-options.ts';
import { familySettings } from './family-sources.ts';
import { bucketSettings } from './storage.ts';

/** The settings of `up` and `demo`: their own, and those of their child processes, which are validated here first. */
export const upSettings = [
  'dataDir',
  'xdgDataHome',
  'port',
  'bridgeHost',
  'bridgePort',
  'bridgeSessions',
  'httpHost',
  'httpPort',
  'noHttp',
  'httpTlsCert',
  'httpTlsKey',
  'httpOrigin',
  'httpProxies',
  'httpAccessLog',
  'httpCors',
  'workers',
  'metricsPort',
  'metricsHost',
  'metricsToken',
  'tracesUrl',
  'tracesShare',
  'threads',
  'device',
  'engine',
  'dataLimit',
  ...familySettings,
  'policy',
  'modelMemory',
  'importMemory',
  'syntheticDevice',
  ...bucketSettings,
] as const;

export function upOptions({ settings, environment }: Given<(typeof upSettings)[number]>): UpOptions {
  const { port, bridgeHost, bridgePort, workers, metricsPort, httpHost, httpPort, httpTlsCert, noHttp } = settings;
  const http = noHttp ? undefined : { host: httpHost, port: httpPort, isTls: httpTlsCert !== undefined };
  return { dataDir: dataDirOr(settings), port, bridgeHost, bridgePort, http, workers, metricsPort, environment };
}
