import sharp from 'sharp';
import type { DataSet } from '../../../src/domain/task.ts';
import type { TrainingSpec } from '../../../src/domain/training.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { photographs } from '../../support/real-images.ts';

const side = 16;
const classes = ['a', 'b', 'c'];

/** PNG files of noise with random labels: nothing to learn but the rows themselves. */
export async function randomPictures(rows: number, seed = 5): Promise<DataSet> {
  const rng = createRng(seed);
  const inputs = await Promise.all(
    Array.from({ length: rows }, () => {
      const pixels = Uint8Array.from({ length: side * side * 3 }, () => rng.below(256));
      return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toBuffer();
    }),
  );
  const examples = { inputs, labels: Int32Array.from({ length: rows }, () => rng.below(classes.length)) };
  return { classes, train: examples, valid: examples };
}

const kinds = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** Real images, validated on themselves; each comes `copies` times in training, so that an epoch has some steps. */
export function realPictures(rows: number, copies: number): DataSet {
  const read = photographs(kinds, rows);
  const inputs = read.map(([, image]) => Buffer.from(image.slice(2), 'hex'));
  const labels = read.map(([label]) => kinds.indexOf(label));
  const repeated = <Entry>(entries: Entry[]): Entry[] => Array.from({ length: copies }, () => entries).flat();
  return {
    classes: kinds,
    train: { inputs: repeated(inputs), labels: Int32Array.from(repeated(labels)) },
    valid: { inputs, labels: Int32Array.from(labels) },
  };
}

/** The least that each family has of what it repeats. */
export const shallow = { blocks: 1, depth: 1, modules: 1, middle: 1 };

export function pictureSpec(family: string, knobs: TrainingSpec['knobs'], data: DataSet): TrainingSpec {
  const small = { side, width: 16, ...shallow, batch: 16, shift: 0, flip: false, cutout: 0, label_smoothing: 0 };
  return { task: 'image_classification', family, knobs: { ...small, ...knobs }, seed: 11, threads: 1, data };
}
