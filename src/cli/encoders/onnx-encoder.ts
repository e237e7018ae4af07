import path from 'node:path';
import type { Pooling } from '../../encoders/pooling.ts';
import { NotSupported } from '../../errors/errors.ts';
import { checkTokenizer, tokenInputs } from '../../features/pretrained/tokens.ts';
import { type OnnxValue, valueTypes } from '../../graph/onnx-outline.ts';
import { MAX_JSON_BYTES, readBounded, readJson } from './bounded-read.ts';
import type { EncoderSource } from './encoder-source.ts';
import { outlineOf, vectorOutputOf } from './onnx-file.ts';

export interface OnnxFiles {
  onnx: string;
  tokenizer: string;
  /** Default: the mean of a text's tokens if there is a vector for each, otherwise the output itself. */
  pooling?: Pooling | undefined;
  /** Before each text. */
  prefix?: string | undefined;
}

/** Tokens of a text that are read, unless the tokenizer says fewer; most encoders have learnt 512 places. */
const MAX_TOKENS = 256;

/** A text encoder from the files that Hugging Face's ONNX exports have. */
export async function onnxEncoder({ onnx: file, tokenizer, pooling, prefix = '' }: OnnxFiles): Promise<EncoderSource> {
  const onnx = await readBounded(file);
  const outline = outlineOf(onnx);
  const inputs = outline.inputs.map(({ name }) => name);
  const strange = outline.inputs.filter(
    ({ name, type }) => !tokenInputs.some((known) => known === name) || type !== valueTypes.int64,
  );
  if (strange.length > 0 || !inputs.includes('input_ids')) throw otherInputs(outline.inputs);
  const isOfTokens = pooling === 'mean' || pooling === 'cls';
  const names = isOfTokens ? ['last_hidden_state'] : ['sentence_embedding', 'last_hidden_state'];
  const output = vectorOutputOf(outline.outputs, names);
  const json = await readJson(tokenizer, MAX_JSON_BYTES);
  checkTokenizer(Object(json) as object, path.basename(tokenizer));
  const state = {
    ...{ tokenizer: JSON.stringify(json), maxTokens: maxTokensOf(json), prefix, inputs, output: output.name },
    pooling: pooling ?? (output.dims?.length === 2 ? 'output' : 'mean'),
  };
  return {
    input: 'text',
    model: { onnx, features: { encoder: 'tokens', state, classes: [] } },
    source: `file ${path.basename(file)}`,
    licence: null,
  };
}

function maxTokensOf(json: unknown): number {
  const { truncation } = json as { truncation?: { max_length?: unknown } | null };
  const limit = truncation?.max_length;
  return typeof limit === 'number' && limit >= 1 ? Math.min(MAX_TOKENS, Math.floor(limit)) : MAX_TOKENS;
}

const otherInputs = (inputs: readonly OnnxValue[]): NotSupported =>
  new NotSupported('the ONNX file is no text encoder', {
    detail: `Its inputs are: ${inputs.map(({ name }) => name).join(', ')}.`,
    hint: `It must read input_ids, and may read ${tokenInputs.slice(1).join(' and ')}, as int64; for images give --preprocessor in place of --tokenizer.`,
  });
