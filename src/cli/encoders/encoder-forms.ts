import { InvalidParameter } from '../../errors/errors.ts';
import type { SettingValues } from '../settings/read.ts';
import type { EncoderSource } from './encoder-source.ts';
import { onnxImageEncoder, tfjsImageEncoder } from './image-encoder.ts';
import { onnxEncoder } from './onnx-encoder.ts';
import { packageEncoder } from './package-encoder.ts';
import { withPackage } from './package-folder.ts';

/** Flags that say where an encoder is. */
const places = ['npm', 'onnx', 'tfjs', 'tokenizer', 'preprocessor'] as const;
/** Flags of `rafiki encoder add` that say what the encoder is. */
export const encoderFlags = [...places, 'layers', 'side', 'pooling', 'prefix'] as const;
type EncoderFlag = (typeof encoderFlags)[number];
type EncoderSettings = SettingValues<EncoderFlag>;

interface EncoderForm {
  /** The files that it has. */
  places: readonly (typeof places)[number][];
  /** What else may be said of it. */
  options: readonly EncoderFlag[];
  read(given: EncoderSettings): Promise<EncoderSource>;
}

const forms: readonly EncoderForm[] = [
  {
    places: ['npm'],
    options: ['side'],
    read: ({ npm = '', side }) => withPackage(npm, (folder) => packageEncoder(folder, { side })),
  },
  {
    places: ['onnx', 'tokenizer'],
    options: ['pooling', 'prefix'],
    read: ({ onnx = '', tokenizer = '', pooling, prefix }) => onnxEncoder({ onnx, tokenizer, pooling, prefix }),
  },
  {
    places: ['onnx', 'preprocessor'],
    options: ['pooling', 'side'],
    read: ({ onnx = '', preprocessor = '', pooling, side }) => onnxImageEncoder({ onnx, preprocessor, pooling, side }),
  },
  {
    places: ['tfjs', 'preprocessor'],
    options: ['layers', 'side'],
    read: ({ tfjs = '', preprocessor = '', layers, side }) => tfjsImageEncoder({ tfjs, preprocessor, layers, side }),
  },
];

/** How the encoder that flags name is read. Throws {@link InvalidParameter} for flags that name none, or that say what its form does not have. */
export function sourceOf(given: EncoderSettings): () => Promise<EncoderSource> {
  const named = places.filter((flag) => given[flag] !== undefined);
  const form = forms.find(
    ({ places: own }) => own.length === named.length && own.every((flag) => named.includes(flag)),
  );
  if (form === undefined) {
    throw new InvalidParameter('the flags do not say where the encoder is', {
      detail: `Given: ${flagsText(named) || 'none'}.`,
      hint: `Give one of these: ${forms.map(({ places: own }) => flagsText(own)).join('; ')}.`,
    });
  }
  const known: readonly EncoderFlag[] = [...form.places, ...form.options];
  const idle = encoderFlags.find((flag) => given[flag] !== undefined && !known.includes(flag));
  if (idle !== undefined) {
    throw new InvalidParameter(`an encoder with ${flagsText(form.places)} has no --${idle}`, {
      hint: `Leave it out. There may be: ${flagsText(form.options)}.`,
    });
  }
  return () => form.read(given);
}

const flagsText = (flags: readonly EncoderFlag[]): string => flags.map((flag) => `--${flag}`).join(' ');
