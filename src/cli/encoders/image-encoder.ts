import path from 'node:path';
import type { Pooling } from '../../encoders/pooling.ts';
import { NotSupported } from '../../errors/errors.ts';
import { preprocessingState } from '../../features/pretrained/preprocessing.ts';
import { type OnnxValue, valueTypes } from '../../graph/onnx-outline.ts';
import { MAX_JSON_BYTES, readBounded, readJson } from './bounded-read.ts';
import type { EncoderSource } from './encoder-source.ts';
import { outlineOf, vectorOutputOf } from './onnx-file.ts';
import { readPreprocessor } from './preprocessor.ts';
import { convertedModel } from './tfjs-model.ts';

interface ImageEncoderFiles {
  preprocessor: string;
  /** Pixels of a side, in place of those of the preprocessor. */
  side?: number | undefined;
}

export interface ImageFiles extends ImageEncoderFiles {
  onnx: string;
  /** Default: the mean over tokens or pixels if there is a vector for each, otherwise the output itself. */
  pooling?: Pooling | undefined;
}

/** An image encoder from the files that Hugging Face's ONNX exports have. */
export const onnxImageEncoder = async ({ onnx, ...files }: ImageFiles): Promise<EncoderSource> =>
  imageEncoder(await readBounded(onnx), onnx, files);

export interface TfjsFiles extends ImageEncoderFiles {
  /** Its model.json, of a graph model or a layers model. */
  tfjs: string;
  /** Names of nodes or layers whose answers make the vector, separated by commas; default: the outputs. */
  layers?: string | undefined;
}

/** An image encoder from a model of TensorFlow.js, with a preprocessor_config.json that says how it sees images. */
export async function tfjsImageEncoder({ tfjs, layers, ...files }: TfjsFiles): Promise<EncoderSource> {
  const names = layers?.split(',').map((name) => name.trim()) ?? [];
  return imageEncoder(await convertedModel(tfjs, { vectorsOf: names }), tfjs, files);
}

async function imageEncoder(
  onnx: Uint8Array,
  file: string,
  { preprocessor, pooling, side }: Omit<ImageFiles, 'onnx'>,
): Promise<EncoderSource> {
  const { inputs, outputs } = outlineOf(onnx);
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0 || input.type !== valueTypes.float32 || (input.dims?.length ?? 4) !== 4)
    throw otherInputs(inputs);
  const perPart = ['last_hidden_state'];
  const names = pooling === 'mean' || pooling === 'cls' ? perPart : ['image_embeds', ...perPart, 'pooler_output'];
  const output = vectorOutputOf(outputs, names);
  const state = {
    ...preprocessingState({
      ...readPreprocessor(await readJson(preprocessor, MAX_JSON_BYTES), side),
      input: input.name,
    }),
    pooling: pooling ?? ((output.dims?.length ?? 2) === 2 ? 'output' : 'mean'),
    output: output.name,
  };
  return {
    input: 'image',
    model: { onnx, features: { encoder: 'preprocessed', state, classes: [] } },
    source: `file ${path.basename(file)}`,
    licence: null,
  };
}

const otherInputs = (inputs: readonly OnnxValue[]): NotSupported =>
  new NotSupported('the file is no image encoder', {
    detail: `Its inputs are: ${inputs.map(({ name, dims }) => `${name} with ${dims?.length ?? 'unknown'} axes`).join(', ')}.`,
    hint: 'It must read one input, [images, 3, height, width] of float32; for texts give --tokenizer in place of --preprocessor.',
  });
