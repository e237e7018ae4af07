import path from 'node:path';
import type { Pooling } from '../../encoders/pooling.ts';
import { BadData, NotSupported } from '../../errors/errors.ts';
import { tokenInputs } from '../../features/pretrained/tokens.ts';
import { type OnnxOutline, type OnnxValue, outlineOnnx } from '../../graph/onnx-outline.ts';
import { readBounded, readJson } from './bounded-read.ts';
import type { EncoderSource } from './encoder-source.ts';

export interface OnnxFiles {
  onnx: string;
  tokenizer: string;
  /** Default: the mean of a text's tokens if there is a vector for each, otherwise the output itself. */
  pooling?: Pooling | undefined;
  /** Before each text. */
  prefix?: string | undefined;
}

const MAX_TOKENIZER_BYTES = 64 * 2 ** 20;

/** Tokens of a text that are read, unless the tokenizer says fewer; most encoders have learnt 512 places. */
const MAX_TOKENS = 256;

/** Operator sets that ONNX Runtime has itself; others would be libraries. */
const knownDomains = new Set(['', 'ai.onnx.ml', 'com.microsoft']);
/** Might never end, and encoders have none. */
const endless = new Set([':Loop', ':Scan']);

const INT64 = 7;

/** A text encoder from the files that Hugging Face's ONNX exports have. */
export async function onnxEncoder({ onnx: file, tokenizer, pooling, prefix = '' }: OnnxFiles): Promise<EncoderSource> {
  const onnx = await readBounded(file);
  const outline = outlineOf(onnx, file);
  const inputs = outline.inputs.map(({ name }) => name);
  const strange = outline.inputs.filter(
    ({ name, type }) => !tokenInputs.some((known) => known === name) || type !== INT64,
  );
  if (strange.length > 0 || !inputs.includes('input_ids')) throw otherInputs(outline.inputs);
  const output = outputOf(outline.outputs, pooling);
  const json = await readJson(tokenizer, MAX_TOKENIZER_BYTES);
  const state = {
    ...{ tokenizer: JSON.stringify(json), maxTokens: maxTokensOf(json), prefix, inputs, output: output.name },
    pooling: pooling ?? (output.rank === 2 ? 'output' : 'mean'),
  };
  return {
    input: 'text',
    model: { onnx, features: { encoder: 'tokens', state, classes: [] } },
    source: `file ${path.basename(file)}`,
    licence: null,
  };
}

function outlineOf(bytes: Uint8Array, file: string): OnnxOutline {
  let outline: OnnxOutline;
  try {
    outline = outlineOnnx(bytes);
  } catch (cause) {
    throw new BadData(`${file} is no ONNX file`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'It may be cut off, or a pointer of Git LFS: fetch it again.',
      cause,
    });
  }
  const refused = [...outline.ops].filter(
    (op) => !knownDomains.has(op.slice(0, op.lastIndexOf(':'))) || endless.has(op),
  );
  if (refused.length > 0 || outline.functions.size > 0) {
    throw new NotSupported('the ONNX file has operators that are refused', {
      detail: refused.length > 0 ? `They are: ${refused.join(', ')}.` : 'It defines functions of its own.',
      hint: 'Operators of ONNX and of ONNX Runtime are accepted, but loops, which might not end: export it again without them.',
    });
  }
  if (outline.hasExternalData) {
    throw new NotSupported('the ONNX file has its weights in other files', {
      detail: 'They are external data.',
      hint: 'Save it as one file: onnx.save(onnx.load("model.onnx"), "whole.onnx").',
    });
  }
  return outline;
}

/** The one that is named as an encoder's, or the only one. */
function outputOf(outputs: readonly OnnxValue[], pooling: Pooling | undefined): OnnxValue {
  const names =
    pooling === 'mean' || pooling === 'cls' ? ['last_hidden_state'] : ['sentence_embedding', 'last_hidden_state'];
  for (const name of names) {
    const named = outputs.find((output) => output.name === name);
    if (named !== undefined) return named;
  }
  const [only, ...more] = outputs;
  if (only !== undefined && more.length === 0) return only;
  throw new BadData('which output of the ONNX file is the vector cannot be told', {
    detail: `Its outputs are: ${outputs.map(({ name }) => name).join(', ')}.`,
    hint: 'Export it with one output, or with the name sentence_embedding or last_hidden_state.',
  });
}

function maxTokensOf(json: unknown): number {
  const { truncation } = json as { truncation?: { max_length?: unknown } | null };
  const limit = truncation?.max_length;
  return typeof limit === 'number' && limit >= 1 ? Math.min(MAX_TOKENS, Math.floor(limit)) : MAX_TOKENS;
}

const otherInputs = (inputs: readonly OnnxValue[]): NotSupported =>
  new NotSupported('the ONNX file is no text encoder', {
    detail: `Its inputs are: ${inputs.map(({ name }) => name).join(', ')}.`,
    hint: `It must read input_ids, and may read ${tokenInputs.slice(1).join(' and ')}, as int64.`,
  });
