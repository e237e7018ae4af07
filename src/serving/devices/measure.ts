import { LatencyModel, measuredSizes } from '../policies/latency-model.ts';
import type { Subset } from '../policies/policy.ts';
import { quickestRun } from './quickest-run.ts';
import type { LoadedDevice } from './resident-device.ts';

/** Larger batch sizes are not measured after a batch that takes this long; they are extrapolated. */
const ENOUGH_MS = 250;

type MeasuredDevice = Pick<LoadedDevice, 'run'>;

/** Measures c(m, b) of each member on a typical input. */
export async function measureLatency(device: MeasuredDevice, members: number, sample: string): Promise<LatencyModel[]> {
  const latency: LatencyModel[] = [];
  for (let m = 0; m < members; m++) latency.push(new LatencyModel(await measure(device, 1 << m, sample)));
  return latency;
}

/** Milliseconds by batch size, for one member. */
async function measure(device: MeasuredDevice, subset: Subset, sample: string): Promise<Map<number, number>> {
  const measured = new Map<number, number>();
  for (const size of measuredSizes) {
    const inputs = Array.from({ length: size }, () => sample);
    const ms = await quickestRun(() => device.run(inputs, subset));
    measured.set(size, ms);
    if (ms >= ENOUGH_MS) break;
  }
  return measured;
}
