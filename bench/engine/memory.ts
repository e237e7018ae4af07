import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Figure } from '../figure.ts';
import type { EngineJob } from './jobs.ts';
import { EnginePeer, howToGetPeer } from './peer.ts';

const script = fileURLToPath(new URL('./memory-process.ts', import.meta.url));

/** Steps of each side, in a process of its own. */
const steps = 16;

/** Peak memory of training a network, of the whole process, compared with PyTorch's smallest variant. */
export async function memoryFigure(job: EngineJob): Promise<Figure> {
  const value = await ownPeakMb(job.name);
  const figure = { bench: 'engine', name: `${job.name}-memory`, value, unit: 'MB', peer: 'pytorch', bar: 1 };
  const peaks: number[] = [];
  for (const way of job.peers) {
    const peer = await EnginePeer.start(job.threads);
    if (peer === null) return { ...figure, peerValue: null, ratio: null, ok: null, note: howToGetPeer };
    await peer.steps(way, steps);
    peaks.push(await peer.peakMb());
    peer.stop();
  }
  const peerValue = Math.round(Math.min(...peaks));
  return { ...figure, peerValue, ratio: Number((value / peerValue).toPrecision(3)), ok: value <= peerValue };
}

async function ownPeakMb(name: string): Promise<number> {
  const child = fork(script, [name]);
  const [peak] = await once(child, 'message');
  child.disconnect();
  return Number(peak);
}
