import { jobs, OwnJob } from './engine/jobs.ts';
import { howToGetPeer, Peer } from './engine/peer.ts';
import type { Figure } from './figure.ts';

/** What the training step may take, as a multiple of PyTorch's on the same machine in the same run. */
const bar = 1.2;

/** A worker's share of a small machine: two trials on two cores are fastest with a thread each. */
const threads = 1;

/** One training step of each network against PyTorch's, run by run in turn, both on one thread. */
export async function* engineBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  const rounds = quick ? 3 : 10;
  const peer = await Peer.start(threads);
  try {
    for (const job of jobs) {
      const own = await OwnJob.start(job, threads);
      try {
        yield figureOf(job.name, await measure(own, peer, { name: job.name, rounds }));
      } finally {
        await own.stop();
      }
    }
  } finally {
    peer?.stop();
  }
}

interface Measured {
  own: number;
  /** PyTorch's better of a dense and a sparse table; null without PyTorch. */
  peer: number | null;
}

async function measure(
  own: OwnJob,
  peer: Peer | null,
  { name, rounds }: { name: string; rounds: number },
): Promise<Measured> {
  const ownMs: number[] = [];
  const peerMs: Record<string, number[]> = { [name]: [], [`${name}-sparse`]: [] };
  for (let round = 0; round <= rounds; round++) {
    const ms = await own.msPerStep();
    if (round > 0) ownMs.push(ms); // the first round warms up
    if (peer === null) continue;
    for (const [job, times] of Object.entries(peerMs)) {
      const steps = await peer.steps(job, 8);
      if (round > 0) times.push(...steps);
    }
  }
  return { own: median(ownMs), peer: peer === null ? null : Math.min(...Object.values(peerMs).map(median)) };
}

function figureOf(name: string, { own, peer }: Measured): Figure {
  const figure = { bench: 'engine', name, value: round(own), unit: 'ms/step', peer: 'pytorch', bar };
  if (peer === null) return { ...figure, peerValue: null, ratio: null, ok: null, note: howToGetPeer };
  const ratio = own / peer;
  return { ...figure, peerValue: round(peer), ratio: round(ratio), ok: ratio <= bar };
}

const round = (value: number): number => Number(value.toPrecision(3));

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
