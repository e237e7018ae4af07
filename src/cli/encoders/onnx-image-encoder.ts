import path from 'node:path';
import type { Pooling } from '../../encoders/pooling.ts';
import { NotSupported } from '../../errors/errors.ts';
import { preprocessingState } from '../../features/pretrained/preprocessing.ts';
import { type OnnxValue, valueTypes } from '../../graph/onnx-outline.ts';
import { MAX_JSON_BYTES, readBounded, readJson } from './bounded-read.ts';
import type { EncoderSource } from './encoder-source.ts';
import { outlineOf, vectorOutputOf } from './onnx-file.ts';
import { readPreprocessor } from './preprocessor.ts';

export interface ImageFiles {
  onnx: string;
  preprocessor: string;
  /** Default: the mean over tokens or pixels if there is a vector for each, otherwise the output itself. */
  pooling?: Pooling | undefined;
  /** Pixels of a side, in place of those of the preprocessor. */
  side?: number | undefined;
}

/** An image encoder from the files that Hugging Face's ONNX exports have. */
export async function onnxImageEncoder({
  onnx: file,
  preprocessor,
  pooling,
  side,
}: ImageFiles): Promise<EncoderSource> {
  const onnx = await readBounded(file);
  const { inputs, outputs } = outlineOf(onnx, file);
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
  new NotSupported('the ONNX file is no image encoder', {
    detail: `Its inputs are: ${inputs.map(({ name, dims }) => `${name} with ${dims?.length ?? 'unknown'} axes`).join(', ')}.`,
    hint: 'It must read one input, [images, 3, height, width] of float32; for texts give --tokenizer in place of --preprocessor.',
  });
