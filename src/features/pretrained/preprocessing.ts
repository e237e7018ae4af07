import type { ImageSize } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import type { Encoder } from '../encoder.ts';
import { MAX_INPUT_SIDE } from '../image-limits.ts';
import { decodeFitted, type Picture } from '../images.ts';
import { createPictureEncoder } from '../pictures.ts';
import { readColours, unfit } from '../state.ts';
import { type PictureFit, type Resampling, resamplings } from './resample.ts';

/** How images become the input of a pretrained encoder. */
export interface Preprocessing {
  /** To this size, or to this length of the shorter side, so that proportions are kept. */
  resize: ({ kind: 'stretched' } & ImageSize) | { kind: 'shortest'; edge: number };
  /** The middle part that is taken after that; null for all, which must then have one size. */
  crop: ImageSize | null;
  resampling: Resampling;
  /** Of each plane of the input: a pixel x in 0…255 becomes scale · x + offset. */
  scale: readonly number[];
  offset: readonly number[];
  /** Whether the planes are blue, green, red. */
  isBlueFirst?: boolean;
  /** The name of the input. */
  input: string;
}

const colours = 3;

export const preprocessingState = (preprocessing: Preprocessing): Record<string, unknown> => ({ preprocessing });

/** Image files → [N, 3, height, width], float32, under the name that the encoder's file has for it. */
export function createPreprocessedEncoder({ state }: FittedFeatures): Encoder {
  const preprocessing = readPreprocessing(state);
  return createPictureEncoder({
    decode: (file) => decodeFitted(file, (source) => fitOf(preprocessing, source)),
    batch: (pictures) => ({ [preprocessing.input]: planesOf(preprocessing, pictures) }),
  });
}

/** The size and the middle as Hugging Face's image processors compute them. */
export function fitOf({ resize, crop, resampling }: Preprocessing, { width, height }: ImageSize): PictureFit {
  const size =
    resize.kind === 'stretched'
      ? { width: resize.width, height: resize.height }
      : shortest(resize.edge, { width, height });
  if (crop === null) return { ...size, resampling };
  const [left, top] = [Math.floor((size.width - crop.width) / 2), Math.floor((size.height - crop.height) / 2)];
  return { ...size, resampling, part: { left, top, width: crop.width, height: crop.height } };
}

const shortest = (edge: number, { width, height }: ImageSize): ImageSize =>
  width <= height
    ? { width: edge, height: Math.floor((edge * height) / width) }
    : { width: Math.floor((edge * width) / height), height: edge };

function planesOf({ scale, offset, isBlueFirst }: Preprocessing, pictures: readonly Picture[]): TensorData {
  const [{ width, height }] = pictures as [Picture];
  const plane = width * height;
  const data = new Float32Array(pictures.length * colours * plane);
  for (const [row, { pixels }] of pictures.entries())
    for (let colour = 0; colour < colours; colour++) {
      const from = (row * colours + colour) * plane;
      const [a, b, source] = [
        scale[colour] as number,
        offset[colour] as number,
        isBlueFirst === true ? 2 - colour : colour,
      ];
      for (let i = 0; i < plane; i++) data[from + i] = a * (pixels[colours * i + source] as number) + b;
    }
  return { dtype: 'float32', shape: [pictures.length, colours, height, width], data };
}

/** Throws CorruptParams for anything else. */
function readPreprocessing(state: Record<string, unknown>): Preprocessing {
  const value = state['preprocessing'];
  if (typeof value !== 'object' || value === null) throw unfit('preprocessing', 'how images are preprocessed');
  const { resize, crop, resampling, isBlueFirst, input } = value as Partial<Preprocessing>;
  const known = resamplings.find((each) => each === resampling);
  const isWhole =
    known !== undefined && typeof input === 'string' && (crop === null ? resize?.kind === 'stretched' : isSize(crop));
  if (!isWhole || resize === undefined || !(resize.kind === 'stretched' ? isSize(resize) : isSide(resize.edge)))
    throw unfit('preprocessing', 'how images are preprocessed');
  const fields = value as Record<string, unknown>;
  const affine = { scale: readColours(fields, 'scale'), offset: readColours(fields, 'offset') };
  return { resize, crop: crop ?? null, resampling: known, ...affine, isBlueFirst: isBlueFirst === true, input };
}

const isSide = (side: unknown): boolean =>
  Number.isInteger(side) && Number(side) >= 1 && Number(side) <= MAX_INPUT_SIDE;
const isSize = (size: Partial<ImageSize> | null | undefined): boolean => isSide(size?.width) && isSide(size?.height);
