import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readPreprocessor } from '../../../src/cli/encoders/preprocessor.ts';
import {
  createPreprocessedEncoder,
  fitOf,
  type Preprocessing,
  preprocessingState,
} from '../../../src/features/pretrained/preprocessing.ts';
import { createRng } from '../../../src/runtime/rng.ts';

/** The filters of PIL's resize, by distance in pixels of the coarser image, and how far they reach. */
const filters: Record<string, { reach: number; at: (x: number) => number }> = {
  linear: { reach: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  cubic: {
    reach: 2,
    at: (given) => {
      const [x, a] = [Math.abs(given), -0.5];
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
  lanczos3: {
    reach: 3,
    at: (x) => {
      const sinc = (y: number): number => (y === 0 ? 1 : Math.sin(Math.PI * y) / (Math.PI * y));
      return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
    },
  },
};

/** One line of numbers in another length, as PIL's resize computes it. */
function resized(line: readonly number[], length: number, kernel: string): number[] {
  const { reach, at } = filters[kernel]!;
  const scale = line.length / length;
  const stretch = Math.max(1, scale);
  return Array.from({ length }, (_, i) => {
    const center = (i + 0.5) * scale;
    let [sum, weights] = [0, 0];
    for (
      let x = Math.max(0, Math.floor(center - reach * stretch));
      x < Math.min(line.length, center + reach * stretch);
      x++
    ) {
      const weight = at((x + 0.5 - center) / stretch);
      sum += weight * (line[x] as number);
      weights += weight;
    }
    return Math.min(255, Math.max(0, Math.round(sum / weights)));
  });
}

/** Rows, then columns. */
function resizedPlane(
  plane: readonly (readonly number[])[],
  width: number,
  height: number,
  kernel: string,
): number[][] {
  const rows = plane.map((row) => resized(row, width, kernel));
  const columns = Array.from({ length: width }, (_, x) =>
    resized(
      rows.map((row) => row[x] as number),
      height,
      kernel,
    ),
  );
  return Array.from({ length: height }, (_, y) => columns.map((column) => column[y] as number));
}

const rng = createRng(3);
/** Smooth, as photos are. */
const waves = (width: number, height: number): number[][][] =>
  Array.from({ length: 3 }, () => {
    const [a, b, c] = [rng.uniform() * (8 / width), rng.uniform() * (8 / height), rng.uniform() * 6];
    return Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => Math.round(127 + 120 * Math.sin(a * x + b * y + c))),
    );
  });
const fileOf = (planes: readonly (readonly (readonly number[])[])[]): Promise<Buffer> => {
  const [height, width] = [planes[0]!.length, planes[0]![0]!.length];
  const pixels = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const [pixel, colour] = [Math.floor(i / 3), i % 3];
    return planes[colour]![Math.floor(pixel / width)]![pixel % width]!;
  });
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
};

const vit = {
  image_processor_type: 'ViTImageProcessor',
  ...{ do_resize: true, do_rescale: true, do_normalize: true, rescale_factor: 1 / 255, resample: 2 },
  ...{ size: { height: 24, width: 24 }, image_mean: [0.5, 0.4, 0.3], image_std: [0.5, 0.25, 0.2] },
};
const encoded = async (preprocessing: Omit<Preprocessing, 'input'>, file: Uint8Array) => {
  const state = preprocessingState({ ...preprocessing, input: 'pixel_values' });
  const encoder = createPreprocessedEncoder({ encoder: 'preprocessed', state, classes: [] });
  return (await encoder.encode([file]))['pixel_values']!;
};

describe('images become what PIL and Hugging Face make of them', () => {
  const ways = Object.entries({ linear: 2, cubic: 3, lanczos3: 1 });
  const sizes = [
    [64, 48],
    [12, 30],
    [100, 7],
    [160, 120],
  ] as const;
  it.each(ways.flatMap(([kernel, resample]) => sizes.map(([w, h]) => [kernel, w, h, resample] as const)))(
    '%s from %i × %i',
    async (kernel, width, height, resample) => {
      const planes = waves(width, height);
      const { data, shape } = await encoded(readPreprocessor({ ...vit, resample }), await fileOf(planes));
      expect(shape).toEqual([1, 3, 24, 24]);
      let most = 0;
      for (const [colour, plane] of planes.entries()) {
        const expected = resizedPlane(plane, 24, 24, kernel);
        for (let i = 0; i < 576; i++) {
          const pixel = expected[Math.floor(i / 24)]![i % 24]!;
          const value = Number(data[colour * 576 + i]);
          const back = (value * vit.image_std[colour]! + vit.image_mean[colour]!) * 255;
          most = Math.max(most, Math.abs(back - pixel));
        }
      }
      expect(most).toBeLessThan(width <= 48 && height <= 48 ? 1.01 : 3); // larger ones are averaged before
    },
  );

  it('takes the middle of the image, with the planes in the asked order', async () => {
    const planes = waves(40, 20);
    const config = {
      ...{ do_center_crop: true, crop_size: 16, size: { shortest_edge: 20 }, do_normalize: false },
      ...{ do_flip_channel_order: true, rescale_factor: 1 },
    };
    const { data } = await encoded(readPreprocessor(config), await fileOf(planes));
    for (const colour of [0, 1, 2])
      for (let y = 0; y < 16; y++)
        for (let x = 0; x < 16; x++) expect(data[colour * 256 + 16 * y + x]).toBe(planes[2 - colour]![2 + y]![12 + x]!);
  });

  it('reads images of any proportions', async () => {
    const config = { ...vit, size: { shortest_edge: 32 }, do_center_crop: true, crop_size: 24 };
    for (const [width, height] of [
      [1, 16_383],
      [16_383, 1],
      [1, 1],
    ] as const) {
      const file = await sharp({ create: { width, height, channels: 3, background: '#804020' } })
        .png()
        .toBuffer();
      const { data } = await encoded(readPreprocessor(config), file);
      expect(Number(data[0])).toBeCloseTo((0x80 / 255 - 0.5) / 0.5, 1);
    }
  });
});

describe('preprocessor_config.json', () => {
  const sized = (config: unknown, side?: number) =>
    fitOf({ ...readPreprocessor(config, side), input: 'x' }, { width: 300, height: 200 });
  const plain = { do_normalize: false };

  it('has sizes in the forms that processors write', () => {
    expect(sized(vit)).toMatchObject({ width: 24, height: 24 });
    expect(sized({ ...plain, feature_extractor_type: 'ViTFeatureExtractor', size: 224 })).toMatchObject({
      width: 224,
      height: 224,
    });
    const clip = {
      ...plain,
      feature_extractor_type: 'CLIPFeatureExtractor',
      size: 224,
      do_center_crop: true,
      crop_size: 224,
    };
    expect(sized(clip)).toMatchObject({ width: 336, height: 224, part: { left: 56, top: 0, width: 224, height: 224 } });
    const convNext = {
      ...plain,
      image_processor_type: 'ConvNextImageProcessor',
      size: { shortest_edge: 224 },
      crop_pct: 0.875,
    };
    expect(sized(convNext)).toMatchObject({
      width: 384,
      height: 256,
      part: { left: 80, top: 16, width: 224, height: 224 },
    });
    expect(sized({ ...convNext, size: { shortest_edge: 384 } })).toMatchObject({ width: 384, height: 384 });
    const levit = {
      ...plain,
      image_processor_type: 'LevitImageProcessor',
      size: { shortest_edge: 224 },
      do_center_crop: true,
      crop_size: { height: 224, width: 224 },
    };
    expect(sized(levit)).toMatchObject({ width: 384, height: 256 });
  });

  it('may be asked for another side', () => {
    expect(sized(vit, 96)).toMatchObject({ width: 96, height: 96 });
    const mobile = {
      ...plain,
      size: { shortest_edge: 256 },
      do_center_crop: true,
      crop_size: { height: 224, width: 224 },
    };
    expect(sized(mobile, 112)).toMatchObject({
      width: 192,
      height: 128,
      part: { left: 40, top: 8, width: 112, height: 112 },
    });
  });

  it('scales and shifts colours', () => {
    const { scale, offset } = readPreprocessor(vit);
    expect(scale[1]! * 255 + offset[1]!).toBeCloseTo(0.6 / 0.25, 6);
    expect(offset[2]).toBeCloseTo(-0.3 / 0.2, 6);
    expect(readPreprocessor({ ...plain, size: 8, rescale_factor: 1 / 127.5, rescale_offset: true })).toMatchObject({
      scale: [1 / 127.5, 1 / 127.5, 1 / 127.5],
      offset: [-1, -1, -1],
    });
  });

  it('says which steps are not supported, and what is no such file', () => {
    for (const [config, detail] of [
      [{ ...vit, do_pad: true }, 'do_pad'],
      [{ ...vit, do_resize: false }, 'different sizes'],
      [{ ...vit, resample: 5 }, 'resample 5'],
      [{ ...vit, size: { shortest_edge: 24 } }, 'different sizes'],
      [{ ...vit, do_center_crop: true, crop_size: 30 }, 'beyond'],
      [{ ...vit, include_top: true }, 'include_top'],
    ] as const)
      expect(() => readPreprocessor(config)).toThrow(
        expect.objectContaining({ sqlstate: '0A000', detail: expect.stringContaining(detail) }),
      );
    for (const config of [
      [],
      null,
      'x',
      {},
      { ...vit, size: 'large' },
      { ...vit, size: { height: 0, width: 3 } },
      { ...vit, image_std: [0, 1, 1] },
      { ...vit, image_mean: [1] },
      { ...vit, size: 1e9 },
      { ...vit, rescale_factor: 'x' },
    ])
      expect(() => readPreprocessor(config)).toThrow(expect.objectContaining({ sqlstate: '22000' }));
  });

  it('bounds sizes that follow from others', () => {
    const cropped = { ...plain, do_center_crop: true, crop_size: 1, size: { shortest_edge: 1000 } };
    const pool = { ...cropped, image_processor_type: 'PoolFormerImageProcessor' };
    const share = { ...plain, image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 224 } };
    for (const [config, side] of [
      [{ ...cropped, image_processor_type: 'LevitImageProcessor' }],
      [{ ...pool, crop_pct: 1e-6 }],
      [{ ...pool, crop_pct: 0 }],
      [{ ...share, crop_pct: 1e-9 }],
      [{ ...share, crop_pct: -1 }],
      [{ ...cropped, image_processor_type: 'CLIPImageProcessor' }, 1000],
    ] as const)
      expect(() => readPreprocessor(config, side)).toThrow(
        expect.objectContaining({ sqlstate: expect.stringMatching('22000|0A000') }),
      );
    expect(() => readPreprocessor({ ...pool, crop_pct: 1e-6 })).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('it must have from 1 to 1024') }),
    );
  });
});
