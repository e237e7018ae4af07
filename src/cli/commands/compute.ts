import { computeWith } from '../../engine/computing.ts';
import { checkDevice } from '../../engine/device.ts';
import type { SettingValues } from '../settings/read.ts';
import { loggerOf } from './command.ts';

/** Selects this process's device and engine. Throws if the device is missing, before any work is claimed. */
export async function compute(
  settings: SettingValues<'device' | 'log'> & Partial<SettingValues<'engine'>>,
): Promise<void> {
  const { device, engine = 'onnx' } = settings;
  computeWith({ device, engine, logger: loggerOf('engine', settings) });
  if (device !== 'cpu') await checkDevice(device);
}
