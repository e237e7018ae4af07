import type { Given } from '../settings/read.ts';
import { dataDirOr } from '../up/data-dir.ts';
import type { UpOptions } from '../up/up.ts';
import { bucketSettings } from './storage.ts';

/** What `up` and `demo` read: for themselves, and so that what their children could not take is refused at once. */
export const upSettings = [
  'dataDir',
  'xdgDataHome',
  'port',
  'bridgeHost',
  'bridgePort',
  'workers',
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
  const { port, bridgeHost, bridgePort, workers } = settings;
  return { dataDir: dataDirOr(settings), port, bridgeHost, bridgePort, workers, environment };
}
