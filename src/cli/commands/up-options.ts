import type { Given } from '../settings/read.ts';
import { dataDirOr } from '../up/data-dir.ts';
import type { UpOptions } from '../up/up.ts';
import { bucketSettings } from './storage.ts';

/** The settings of `up` and `demo`: their own, and those of their child processes, which are validated here first. */
export const upSettings = [
  'dataDir',
  'xdgDataHome',
  'port',
  'bridgeHost',
  'bridgePort',
  'workers',
  'metricsPort',
  'metricsHost',
  'metricsToken',
  'threads',
  'device',
  'engine',
  'dataLimit',
  'policy',
  'modelMemory',
  'syntheticDevice',
  ...bucketSettings,
] as const;

export function upOptions({ settings, environment }: Given<(typeof upSettings)[number]>): UpOptions {
  const { port, bridgeHost, bridgePort, workers, metricsPort } = settings;
  return { dataDir: dataDirOr(settings), port, bridgeHost, bridgePort, workers, metricsPort, environment };
}
