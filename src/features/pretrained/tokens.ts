import { Tokenizer } from '@huggingface/tokenizers';
import type { RawInput } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { BadData } from '../../errors/errors.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from '../encoder.ts';
import { readInteger, unfit } from '../state.ts';
import { padRows, rowLength, TokenRowsBuilder } from '../token-rows.ts';

/** Characters that are read per token at most, which bounds the work on megabytes of text. */
const CHARS_PER_TOKEN = 16;

/** Inputs of exported text encoders: ids, which of them are no padding, and which text they belong to, always the first. */
export const tokenInputs = ['input_ids', 'attention_mask', 'token_type_ids'] as const;

/**
 * Text → ids of a tokenizer of Hugging Face's library, and the mask of padding, [N, T] of int64. `prefix` comes before each text, as some encoders
 * want ("query: "). `inputs` are those that the encoder has, `tokenizer` is the text of its tokenizer.json.
 */
export function createTokenEncoder({ state }: FittedFeatures): RowEncoder {
  const [maxTokens, prefix, inputs] = [readInteger(state, 'maxTokens'), readText(state, 'prefix'), readInputs(state)];
  const tokenizer = openTokenizer(readText(state, 'tokenizer'));
  const encode = (text: string): Int32Array => {
    const { ids } = tokenizer.encode(prefix + text.slice(0, maxTokens * CHARS_PER_TOKEN));
    // the last token marks the end of the text, and is kept
    return Int32Array.from(
      ids.length <= maxTokens ? ids : [...ids.slice(0, maxTokens - 1), ids.at(-1) as number],
      Number,
    );
  };
  const prepare = (given: readonly RawInput[]): EncodedRows => {
    const texts = textsOf(given);
    const builder = new TokenRowsBuilder(texts.length);
    for (const text of texts) builder.push(encode(text));
    const rows = builder.build();
    return {
      count: texts.length,
      length: (row) => rowLength(rows, row),
      batch(indexes) {
        const { data, shape } = padRows(rows, indexes, { margin: 0, min: 1 });
        const width = shape[1] as number;
        const mask = new BigInt64Array(data.length);
        for (const [i, row] of indexes.entries())
          mask.fill(1n, i * width, i * width + Math.max(1, rowLength(rows, row)));
        const tensors: Record<(typeof tokenInputs)[number], BigInt64Array> = {
          input_ids: BigInt64Array.from(data as Int32Array, (id) => BigInt(id)),
          attention_mask: mask,
          token_type_ids: new BigInt64Array(data.length),
        };
        const entries = inputs.map((name): [string, TensorData] => [
          name,
          { dtype: 'int64', shape, data: tensors[name] },
        ]);
        return Object.fromEntries(entries);
      },
    };
  };
  return rowEncoder(prepare);
}

/** Throws {@link BadData} for an object that a tokenizer.json of Hugging Face has not. */
export function checkTokenizer(tokenizer: object, file: string): void {
  try {
    new Tokenizer(tokenizer, {}).encode('');
  } catch (cause) {
    throw new BadData(`${file} is no tokenizer of Hugging Face`, {
      detail: (cause as Error).message.slice(0, 200),
      hint: 'Give the tokenizer.json that was saved with the model; tokenizer_config.json and vocab.json are other files.',
      cause,
    });
  }
}

/** Throws CorruptParams for a text that is no tokenizer. */
function openTokenizer(json: string): Tokenizer {
  try {
    return new Tokenizer(JSON.parse(json) as object, {});
  } catch {
    throw unfit('tokenizer', 'a tokenizer.json of Hugging Face');
  }
}

function readText(state: Record<string, unknown>, name: string): string {
  const value = state[name];
  if (typeof value === 'string') return value;
  throw unfit(name, 'a text');
}

function readInputs(state: Record<string, unknown>): (typeof tokenInputs)[number][] {
  const value = state['inputs'];
  if (Array.isArray(value)) {
    const known = tokenInputs.filter((name) => value.includes(name));
    if (known.length === value.length && known.length > 0) return known;
  }
  throw unfit('inputs', `a list of ${tokenInputs.join(', ')}`);
}
