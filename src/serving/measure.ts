import { LatencyModel, measuredSizes } from './latency-model.ts';
import type { Subset } from './policies/policy.ts';
import type { LoadedDevice } from './resident-device.ts';
import { timings } from './timings.ts';

/** A batch size that takes so long is the last to be measured: larger ones are in proportion. */
const ENOUGH_MS = 250;

/** c(m, b) of each member on an input like those that the model sees. */
export async function measureLatency(device: LoadedDevice, members: number, sample: string): Promise<LatencyModel[]> {
  const latency: LatencyModel[] = [];
  for (let m = 0; m < members; m++) latency.push(new LatencyModel(await measure(device, 1 << m, sample)));
  return latency;
}

/** Of one member, by batch size: the median of some runs. */
async function measure(device: LoadedDevice, subset: Subset, sample: string): Promise<Map<number, number>> {
  const measured = new Map<number, number>();
  for (const size of measuredSizes) {
    const texts = Array.from({ length: size }, () => sample);
    const times = await timings(() => device.run(texts, subset));
    const median = times[Math.floor(times.length / 2)] as number;
    measured.set(size, median);
    if (median >= ENOUGH_MS) break;
  }
  return measured;
}
