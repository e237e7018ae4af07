import type { RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type EncodedRows, type Encoder, filesOf } from './encoder.ts';
import { decodeImages } from './images.ts';
import { readColours, readInteger } from './state.ts';
import { fitWhitening, readWhitening, type Whitening, type WhiteningName } from './whitening.ts';

const colours = 3;

/** Maximum images for the statistics: enough for two digits. */
const sampled = 500;

/** The fitted features of an image network. */
export interface PixelState {
  /** Side of the network's input, whatever the images' size. */
  side: number;
  /** By colour, in 0…255. */
  mean: number[];
  deviation: number[];
  /** Applied after division by the deviations. */
  whitening?: Whitening;
}

/** Computed from training rows only. */
export async function fitPixels(
  inputs: readonly RawInput[],
  side: number,
  whitening: WhiteningName = 'none',
): Promise<Record<string, unknown>> {
  const stride = Math.max(1, Math.floor(inputs.length / sampled));
  const pixels = await decodeImages(filesOf(inputs.filter((_, row) => row % stride === 0)), side);
  const moments = momentsOf(pixels, side * side);
  const state: PixelState = { side, ...moments };
  if (whitening === 'none') return { ...state };
  return { ...state, whitening: fitWhitening(standardised(pixels, side * side, moments), side, whitening) };
}

interface PixelMoments {
  mean: number[];
  deviation: number[];
}

function momentsOf(pixels: Uint8Array, plane: number): PixelMoments {
  const [mean, deviation] = [new Array<number>(colours), new Array<number>(colours)];
  for (let colour = 0; colour < colours; colour++) {
    let [sum, squares, count] = [0, 0, 0];
    for (let start = colour * plane; start < pixels.length; start += colours * plane) {
      for (let i = start; i < start + plane; i++) {
        const value = pixels[i] as number;
        sum += value;
        squares += value * value;
      }
      count += plane;
    }
    mean[colour] = sum / count;
    deviation[colour] = Math.max(1, Math.sqrt(squares / count - (sum / count) ** 2)); // may be 0 for black-and-white images
  }
  return { mean, deviation };
}

function standardised(pixels: Uint8Array, plane: number, { mean, deviation }: PixelMoments): Float32Array {
  return Float32Array.from(pixels, (value, i) => {
    const colour = Math.floor(i / plane) % colours;
    return (value - (mean[colour] ?? 0)) / (deviation[colour] ?? 1);
  });
}

export function pixelState({ state }: FittedFeatures): PixelState {
  const whitening = readWhitening(state);
  return {
    side: readInteger(state, 'side'),
    mean: readColours(state, 'mean'),
    deviation: readColours(state, 'deviation'),
    ...(whitening === null ? {} : { whitening }),
  };
}

/** Image files → `image` [N, 3, side, side], uint8. */
export function createPixelEncoder(features: FittedFeatures): Encoder {
  const { side } = pixelState(features);
  const size = colours * side * side;
  const tensor = (data: Uint8Array, rows: number): Record<string, TensorData> => ({
    image: { dtype: 'uint8', shape: [rows, colours, side, side], data },
  });
  return {
    async prepare(inputs): Promise<EncodedRows> {
      const pixels = await decodeImages(filesOf(inputs), side);
      return {
        count: inputs.length,
        length: () => 1, // all images are of one size
        batch: (indexes) => {
          const data = new Uint8Array(indexes.length * size);
          indexes.forEach((row, i) => {
            data.set(pixels.subarray(row * size, (row + 1) * size), i * size);
          });
          return tensor(data, indexes.length);
        },
      };
    },
    encode: async (inputs) => tensor(await decodeImages(filesOf(inputs), side), inputs.length),
  };
}
