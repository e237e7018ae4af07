import type { TensorData } from '../../domain/tensor.ts';
import type { TrainedModel } from '../../domain/training.ts';
import { type ForeignTensor, openForeign } from '../../engine/foreign/session.ts';
import { BadData } from '../../errors/errors.ts';
import { createEncoder } from '../../features/registry.ts';
import { readInteger } from '../../features/state.ts';
import { reasonOf } from '../../foreign/foreign-model.ts';
import { checkVocabulary } from '../../foreign/vocabulary.ts';
import { outlineOnnx } from '../../graph/onnx-outline.ts';

/** Short words and digits, which most tokenizers know: each is a token at least. */
const WORDS = 'a 1 ';
/** Tokens that even an empty text mostly has: its start and its end. */
const FEWEST_TOKENS = 2;

/**
 * Whether a text encoder knows all numbers of its tokenizer, and reads texts of as many tokens as it may get: if not, a rare word or a long text would
 * fail one day. Throws BadData.
 */
export async function checkReading({ onnx, features }: TrainedModel): Promise<void> {
  const outputs = outlineOnnx(onnx)
    .outputs.slice(0, 1)
    .map(({ name }) => name);
  const session = await openForeign(onnx, 1); // it logs no errors: some are expected
  const run = (feeds: Readonly<Record<string, ForeignTensor>>): Promise<unknown> =>
    session.run(feeds, outputs).catch(unable);
  try {
    if (features.encoder === 'tokens') {
      const input = { kind: 'tokens', tokens: features.state, type: 'int64', width: null } as const;
      await checkVocabulary({ input, batch: null }, run);
    }
    const most = readInteger(features.state, 'maxTokens');
    const read = (tokens: number): Promise<BadData | undefined> => {
      const encoder = createEncoder({ ...features, state: { ...features.state, maxTokens: tokens } });
      return refusalOf(async () => run(foreignOf(await encoder.encode([WORDS.repeat(most)]))));
    };
    const refusal = await read(most);
    if (refusal === undefined) return;
    const reason = most > FEWEST_TOKENS ? await read(FEWEST_TOKENS) : refusal;
    throw reason ?? tooLong({ most, longest: await longestOf(read, most), refusal });
  } finally {
    await session.release();
  }
}

const foreignOf = (feeds: Readonly<Record<string, TensorData>>): Record<string, ForeignTensor> =>
  Object.fromEntries(Object.entries(feeds).map(([name, { dtype: type, ...tensor }]) => [name, { type, ...tensor }]));

async function refusalOf(run: () => Promise<unknown>): Promise<BadData | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof BadData) return error;
    throw error;
  }
}

function unable(cause: unknown): never {
  throw new BadData('the ONNX file cannot be run on a text', {
    detail: reasonOf(cause),
    hint: 'Export it for any number of texts, and of tokens (dynamic axes).',
    cause,
  });
}

/** The most tokens that are read, at least {@link FEWEST_TOKENS}, and fewer than `most`. */
async function longestOf(read: (tokens: number) => Promise<unknown>, most: number): Promise<number> {
  let [longest, refused] = [FEWEST_TOKENS, most];
  while (refused - longest > 1) {
    const middle = Math.floor((longest + refused) / 2);
    if ((await read(middle)) === undefined) longest = middle;
    else refused = middle;
  }
  return longest;
}

const tooLong = ({ most, longest, refusal }: { most: number; longest: number; refusal: BadData }): BadData =>
  new BadData(`the encoder cannot read a text of ${most} tokens`, {
    detail:
      `It reads ${longest} tokens, and the tokenizer does not cut texts to so many. ${refusal.detail ?? ''}`.trim(),
    hint: `Write into tokenizer.json: "truncation": {"max_length": ${longest}, "strategy": "LongestFirst", "stride": 0}.`,
    cause: refusal,
  });
