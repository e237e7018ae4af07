import { Trainer } from '../src/engine/trainer.ts';
import { networkFamily } from '../src/models/registry.ts';
import { createRng } from '../src/runtime/rng.ts';
import type { Figure } from './figure.ts';

const rows = 64;
const side = 32;
const classes = Array.from({ length: 10 }, (_, i) => String(i));

/** Share of a step that augmentation may take. */
const bar = 0.05;

/** CPU time of augmenting a batch, compared with that of one step of the family with the shortest steps. */
export async function* augmentBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  const family = networkFamily('vgg');
  const initial = { ...family.space('image_classification').initial(), width: 16 };
  const stepMs = await stepTime(initial, quick ? 4 : 20);
  const everything = { ...initial, rotation: 30, colour: 0.3 };
  for (const [name, knobs] of Object.entries({ 'augment-initial': initial, 'augment-everything': everything })) {
    const batch = { image: randomImages() };
    const ms = fastest(quick ? 20 : 200, (round) => family.augment?.(batch, knobs, createRng(round)));
    const ratio = Number((ms / stepMs).toPrecision(3));
    yield {
      bench: 'augment',
      name,
      value: Number(ms.toPrecision(3)),
      unit: 'ms',
      peer: 'vgg step',
      peerValue: Number(stepMs.toPrecision(3)),
      ratio,
      bar,
      ok: ratio <= bar,
    };
  }
}

async function stepTime(knobs: Record<string, number | string | boolean>, steps: number): Promise<number> {
  const state = { side, mean: [128, 128, 128], deviation: [74, 74, 74] };
  const network = networkFamily('vgg').network({ encoder: 'pixels', classes, state }, knobs);
  const trainer = await Trainer.create({ network, optimiser: 'nesterov', batch: rows, threads: 1, seed: 1 });
  const truth = new Float32Array(rows * classes.length).fill(1 / classes.length);
  const step = {
    inputs: { image: randomImages() },
    targets: { truth: { dtype: 'float32' as const, shape: [rows, classes.length], data: truth } },
    learningRate: 0.01,
  };
  const settings = { momentum: 0.9, weightDecay: 1e-3, dropout: 0 };
  const times: number[] = [];
  for (let round = 0; round < steps; round++) {
    const before = process.cpuUsage();
    await trainer.run([step], settings);
    times.push(cpuMs(before));
  }
  await trainer.release();
  return Math.min(...times);
}

/** The minimum of many rounds: other load only adds time. */
function fastest(rounds: number, work: (round: number) => void): number {
  const times = Array.from({ length: rounds }, (_, round) => {
    const before = process.cpuUsage();
    work(round);
    return cpuMs(before);
  });
  return Math.min(...times);
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function randomImages() {
  const rng = createRng(1);
  const data = Uint8Array.from({ length: rows * 3 * side * side }, () => rng.below(256));
  return { dtype: 'uint8' as const, shape: [rows, 3, side, side], data };
}
