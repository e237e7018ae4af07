import sharp from 'sharp';
import type { Knobs, KnobValue } from '../../../src/domain/hyper-space.ts';
import {
  type DataSet,
  type InputKind,
  inputOf,
  type Labels,
  type RawInput,
  type Task,
} from '../../../src/domain/task.ts';
import type { TrainingStep } from '../../../src/engine/feeds.ts';
import type { NetworkFamily } from '../../../src/models/family.ts';
import { tasksOf } from '../../../src/models/registry.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { type PreparedTrial, prepareTrial } from '../../../src/training/trial.ts';
import { tableRows } from '../features/table-rows.ts';

const classes = ['a', 'b', 'c'];
const rows = 8;
const pictureSide = 32;

/** A trial of any family, as small as its knobs allow. */
export async function smallTrial(family: NetworkFamily): Promise<PreparedTrial> {
  const [task] = tasksOf(family);
  if (task === undefined) throw new RangeError(`${family.name} is for no task`);
  const knobs = { ...smallestKnobs(family, task), epochs: 1 };
  const trial = await prepareTrial({
    task,
    family: family.name,
    knobs,
    seed: 3,
    threads: 1,
    data: await dataFor(task),
  });
  return { ...trial, batch: 4 }; // of two rows, batch norms see so few pixels that rounding decides their gradients
}

/** Rates climb as at the beginning of a training: at full rate small differences would grow from step to step. */
const climb = 50;

/** The same steps for whoever asks. */
export function firstSteps({ train, batch, recipe }: PreparedTrial, count: number): TrainingStep[] {
  return Array.from({ length: count }, (_, step) => {
    const indexes = Int32Array.from({ length: batch }, (_, i) => (step * batch + i) % train.count);
    const drawn = train.batch(indexes, { rng: createRng(step), progress: step / count });
    return { ...drawn, learningRate: (recipe.learningRate * (step + 1)) / climb };
  });
}

/** The lower end of each architecture knob, and below it where time is spent. */
function smallestKnobs(family: NetworkFamily, task: Task): Knobs {
  const width = family.name === 'inception' ? 16 : 4; // whose narrowest branch would have no channel
  const below: Knobs = { side: task === 'object_detection' ? 32 : 16, width };
  const smallest = family
    .space(task)
    .knobs()
    .flatMap(({ name, group, domain }): [string, KnobValue][] => {
      if (group !== 'architecture' && !(name in below)) return [];
      return [[name, below[name] ?? (domain.kind === 'range' ? domain.min : (domain.list[0] ?? 0))]];
    });
  return Object.fromEntries(smallest);
}

const inputsOfKind: Record<InputKind, () => RawInput[] | Promise<RawInput[]>> = {
  text: sentences,
  image: pictures,
  columns: people,
};

async function dataFor(task: Task): Promise<DataSet> {
  const rng = createRng(5);
  const inputs = await inputsOfKind[inputOf(task)]();
  const label = (): number => rng.below(classes.length);
  const box = () => ({
    label: label(),
    x: rng.below(10),
    y: rng.below(10),
    w: 8 + rng.below(12),
    h: 8 + rng.below(12),
  });
  const labels: Labels =
    task === 'object_detection'
      ? Array.from({ length: rows }, () => [box(), box()])
      : Int32Array.from({ length: rows }, label);
  return { classes, train: { inputs, labels }, valid: { inputs, labels } };
}

function sentences(): string[] {
  const rng = createRng(6);
  const words = ['river', 'stone', 'lamp', 'cloud', 'wheel', 'north', 'seven', 'glass'];
  return Array.from({ length: rows }, () =>
    Array.from({ length: 4 + rng.below(4) }, () => words[rng.below(words.length)]).join(' '),
  );
}

function people(): RawInput[] {
  const rng = createRng(8);
  const jobs = ['cook', 'clerk', null];
  const person = () => JSON.stringify({ age: 18 + rng.below(60), job: jobs[rng.below(jobs.length)] });
  const columns = [
    { name: 'age', kind: 'number' },
    { name: 'job', kind: 'text' },
  ];
  return tableRows(columns, Array.from({ length: rows }, person));
}

function pictures(): Promise<Buffer[]> {
  const rng = createRng(7);
  const raw = { width: pictureSide, height: pictureSide, channels: 3 } as const;
  return Promise.all(
    Array.from({ length: rows }, () => {
      const pixels = Uint8Array.from({ length: pictureSide * pictureSide * 3 }, () => rng.below(256));
      return sharp(pixels, { raw }).png().toBuffer();
    }),
  );
}
