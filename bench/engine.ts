import { fasttextTrials } from './engine/fasttext-trials.ts';
import { jobs, OwnJob } from './engine/jobs.ts';
import { memoryFigure } from './engine/memory.ts';
import { EnginePeer, howToGetPeer } from './engine/peer.ts';
import type { Figure } from './figure.ts';

/** One training step of each network, and the memory it takes, compared with PyTorch's on as many threads; then whole trials of fastText. */
export async function* engineBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  const rounds = quick ? 3 : 10;
  for (const job of jobs) {
    const peer = await EnginePeer.start(job.threads);
    const own = await OwnJob.start(job);
    try {
      yield figureOf(job, await measure(own, peer, { peers: job.peers, rounds }));
    } finally {
      await own.stop();
      peer?.stop();
    }
    yield await memoryFigure(job);
  }
  yield* fasttextTrials({ quick });
}

interface MeasuredNetwork {
  own: number;
  /** The best variant of PyTorch; null without PyTorch. */
  peer: number | null;
}

/** Medians of alternating rounds, so that other load affects both. */
async function measure(
  own: OwnJob,
  peer: EnginePeer | null,
  { peers, rounds }: { peers: readonly string[]; rounds: number },
): Promise<MeasuredNetwork> {
  const ownMs: number[] = [];
  const peerMs = new Map(peers.map((name) => [name, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    const ms = await own.msPerStep();
    if (round > 0) ownMs.push(ms); // the first round warms up
    if (peer === null) continue;
    for (const [name, times] of peerMs) {
      const steps = await peer.steps(name, 8);
      if (round > 0) times.push(...steps);
    }
  }
  return { own: median(ownMs), peer: peer === null ? null : Math.min(...[...peerMs.values()].map(median)) };
}

function figureOf({ name, bar }: { name: string; bar: number }, { own, peer }: MeasuredNetwork): Figure {
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
