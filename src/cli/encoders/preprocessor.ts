import type { ImageSize } from '../../domain/task.ts';
import { BadData, NotSupported } from '../../errors/errors.ts';
import { MAX_INPUT_SIDE } from '../../features/image-limits.ts';
import type { Preprocessing } from '../../features/pretrained/preprocessing.ts';

type PreprocessorFields = Readonly<Record<string, unknown>>;

/** PIL's numbers of ways to resample; its box and Hamming windows are in no other library. */
const pilNumbers: Readonly<Record<number, Preprocessing['resampling']>> = {
  0: 'nearest',
  1: 'lanczos3',
  2: 'linear',
  3: 'cubic',
};

/** Processors for which a size of one number is the shorter side; for others it is a square. */
const keepsProportions =
  /^(Bit|ChineseCLIP|CLIP|ConvNext|ConvNeXT|Levit|MobileNet|MobileViT|Perceiver|PoolFormer|VideoMAE)/;
/** Processors that take a part of `crop_pct` of the image, unless it has 384 pixels or more. */
const takesShare = /^ConvNe[xX][tT]/;
const WHOLE_FROM = 384;

/** Steps that are known; others that are switched on are refused. */
const knownSteps = new Set([
  'do_resize',
  'do_center_crop',
  'do_rescale',
  'do_normalize',
  'do_convert_rgb',
  'do_flip_channel_order',
]);

/**
 * The steps of a preprocessor_config.json of Hugging Face's image processors, with another side if `side` is given. Throws {@link NotSupported} for
 * steps that are not known.
 */
export function readPreprocessor(json: unknown, side?: number): Omit<Preprocessing, 'input'> {
  const fields = fieldsOf(json);
  const type = String(fields['image_processor_type'] ?? fields['feature_extractor_type'] ?? '');
  const strange = Object.keys(fields).filter(
    (name) => name.startsWith('do_') && fields[name] === true && !knownSteps.has(name),
  );
  if (strange.length > 0 || fields['include_top'] === true)
    throw unknownSteps([...strange, ...(fields['include_top'] === true ? ['include_top'] : [])]);
  const { resize, crop } = sizesOf(fields, type);
  const resampling = pilNumbers[numberOf(fields, 'resample', 2)];
  if (resampling === undefined) throw unknownSteps([`resample ${String(fields['resample'])}`]);
  const factor = fields['do_rescale'] === false ? 1 : numberOf(fields, 'rescale_factor', 1 / 255);
  const shift = fields['rescale_offset'] === true ? -1 : 0;
  const isNormalised = fields['do_normalize'] !== false;
  const mean = isNormalised ? coloursOf(fields, 'image_mean') : [0, 0, 0];
  const deviation = isNormalised ? coloursOf(fields, 'image_std') : [1, 1, 1];
  return {
    ...bounded(side === undefined ? { resize, crop } : withSide(side, resize, crop)),
    resampling,
    scale: deviation.map((each) => factor / each),
    offset: deviation.map((each, colour) => (shift - (mean[colour] as number)) / each),
    isBlueFirst: fields['do_flip_channel_order'] === true,
  };
}

type Sizes = Pick<Preprocessing, 'resize' | 'crop'>;

function sizesOf(fields: PreprocessorFields, type: string): Sizes {
  if (fields['do_resize'] === false) throw unknownSteps(['do_resize: false, which leaves images of different sizes']);
  const resize = resizeOf(fields['size'], type);
  if (takesShare.test(type) && resize.kind === 'shortest') {
    const { edge } = resize;
    const square = { width: edge, height: edge };
    if (edge >= WHOLE_FROM) return { resize: { kind: 'stretched', ...square }, crop: null };
    const share = numberOf(fields, 'crop_pct', 224 / 256);
    return { resize: { kind: 'shortest', edge: Math.floor(edge / share) }, crop: square };
  }
  const crop = fields['do_center_crop'] === true ? squareOf(fields['crop_size'], 'crop_size') : null;
  const scaled = resize.kind === 'shortest' ? scaledEdge(resize.edge, fields, type) : null;
  const all = { resize: scaled === null ? resize : { kind: 'shortest' as const, edge: scaled }, crop };
  const least = all.resize.kind === 'shortest' ? all.resize.edge : Math.min(all.resize.width, all.resize.height);
  if (all.resize.kind === 'shortest' && crop === null)
    throw unknownSteps(['no crop, which leaves images of different sizes']);
  if (crop !== null && Math.max(crop.width, crop.height) > least) throw unknownSteps(['a crop beyond the image']);
  return all;
}

/** Sizes that are computed of others are checked like those: an image takes memory for all of them. */
function bounded({ resize, crop }: Sizes): Sizes {
  const sides = resize.kind === 'shortest' ? [resize.edge] : [resize.width, resize.height];
  const odd = [...sides, ...(crop === null ? [] : [crop.width, crop.height])].find((side) => !isSide(side));
  if (odd === undefined) return { resize, crop };
  throw noPreprocessor(`By its sizes, a side has ${odd} pixels; it must have from 1 to ${MAX_INPUT_SIDE}.`);
}

const isSide = (side: unknown): side is number =>
  typeof side === 'number' && Number.isInteger(side) && side >= 1 && side <= MAX_INPUT_SIDE;

/** LeViT and PoolFormer resize to more than the size that they name. */
function scaledEdge(edge: number, fields: PreprocessorFields, type: string): number {
  if (type.startsWith('Levit')) return Math.floor((256 / 224) * edge);
  if (type.startsWith('PoolFormer')) return Math.floor(edge / numberOf(fields, 'crop_pct', 0.9));
  return edge;
}

function resizeOf(size: unknown, type: string): Preprocessing['resize'] {
  if (typeof size === 'number')
    return keepsProportions.test(type)
      ? { kind: 'shortest', edge: sideOf(size, 'size') }
      : { kind: 'stretched', width: sideOf(size, 'size'), height: sideOf(size, 'size') };
  const { shortest_edge: edge, ...others } = fieldsOf(size);
  if (edge !== undefined && others['longest_edge'] === undefined)
    return { kind: 'shortest', edge: sideOf(edge, 'size') };
  return { kind: 'stretched', ...squareOf(size, 'size') };
}

/** {height, width}, or one number for both. */
function squareOf(value: unknown, name: string): ImageSize {
  if (typeof value === 'number') return { width: sideOf(value, name), height: sideOf(value, name) };
  const { width, height } = fieldsOf(value);
  return { width: sideOf(width, name), height: sideOf(height, name) };
}

/** The same steps, all sizes in proportion. */
function withSide(side: number, resize: Preprocessing['resize'], crop: ImageSize | null): Sizes {
  const square = { width: side, height: side };
  if (resize.kind === 'stretched' && crop === null) return { resize: { kind: 'stretched', ...square }, crop: null };
  const given = resize.kind === 'stretched' ? Math.min(resize.width, resize.height) : resize.edge;
  const least = crop === null ? given : Math.min(crop.width, crop.height);
  const edge = Math.max(side, Math.round((side * given) / least));
  return {
    resize: resize.kind === 'stretched' ? { kind: 'stretched', width: edge, height: edge } : { kind: 'shortest', edge },
    crop: square,
  };
}

function fieldsOf(value: unknown): PreprocessorFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as PreprocessorFields;
  throw noPreprocessor('It, or a size in it, is no object.');
}

function numberOf(fields: PreprocessorFields, name: string, otherwise: number): number {
  const value = fields[name] ?? otherwise;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw noPreprocessor(`${name} is no number.`);
}

function sideOf(value: unknown, name: string): number {
  if (isSide(value)) return value;
  throw noPreprocessor(`${name} gives no side from 1 to ${MAX_INPUT_SIDE} pixels.`);
}

function coloursOf(fields: PreprocessorFields, name: string): number[] {
  const value = fields[name];
  const isNumber = (each: unknown): boolean => typeof each === 'number' && Number.isFinite(each);
  if (
    Array.isArray(value) &&
    value.length === 3 &&
    value.every(isNumber) &&
    !(name === 'image_std' && value.includes(0))
  )
    return value as number[];
  throw noPreprocessor(`${name} is no list of three numbers.`);
}

const unknownSteps = (steps: readonly string[]): NotSupported =>
  new NotSupported('the preprocessing of the image encoder is not supported', {
    detail: `Of it: ${steps.join(', ')}.`,
    hint: 'Resizing to one size, center crop, rescaling, normalisation and the order of channels are; write such a preprocessor_config.json.',
  });

const noPreprocessor = (detail: string): BadData =>
  new BadData("the file is no preprocessor_config.json of Hugging Face's image processors", {
    detail,
    hint: 'Give the one in the folder of the model: --preprocessor preprocessor_config.json.',
  });
