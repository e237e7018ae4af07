import type { ForeignTensor } from '../engine/foreign/session.ts';
import { BadData } from '../errors/errors.ts';
import type { InputPlan, TokensPlan } from './plan.ts';

/**
 * Whether the model knows the highest number of the tokenizer: if not, it was trained with another one, and inputs with rare words would
 * fail one day. Throws BadData.
 */
export async function checkVocabulary(
  { input, batch }: { input: InputPlan; batch: number | null },
  run: (feeds: Record<string, ForeignTensor>) => Promise<unknown>,
): Promise<void> {
  if (input.kind !== 'tokens') return;
  const highest = highestId(input);
  const shape = [batch ?? 1, input.width ?? 1];
  const size = shape.reduce((product, dim) => product * dim, 1);
  const feeds: Record<string, ForeignTensor> = {};
  for (const name of input.tokens['inputs'] as string[]) {
    const value = name === 'input_ids' ? highest : name === 'attention_mask' ? 1 : 0;
    feeds[name] =
      input.type === 'int64'
        ? { type: 'int64', shape, data: new BigInt64Array(size).fill(BigInt(value)) }
        : { type: 'int32', shape, data: new Int32Array(size).fill(value) };
  }
  try {
    await run(feeds);
  } catch (cause) {
    if (!(cause instanceof BadData) || !/out of|bounds|range|Gather/i.test(cause.detail ?? '')) throw cause;
    throw new BadData('the tokenizer is one of another vocabulary than the model', {
      detail: `It has numbers up to ${highest}, which the model does not know: ${cause.detail ?? ''}`.slice(0, 600),
      hint: 'Give the tokenizer.json that was saved with the model.',
      cause,
    });
  }
}

function highestId({ tokens }: TokensPlan): number {
  const { model, added_tokens: added } = JSON.parse(String(tokens['tokenizer'])) as {
    model?: { vocab?: unknown };
    added_tokens?: unknown;
  };
  const { vocab } = model ?? {};
  let highest = Array.isArray(vocab) ? vocab.length - 1 : 0;
  const ids = typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab) ? Object.values(vocab) : [];
  for (const id of ids) if (typeof id === 'number' && id > highest) highest = id;
  for (const token of Array.isArray(added) ? (added as { id?: unknown }[]) : [])
    if (typeof token?.id === 'number' && token.id > highest) highest = token.id;
  return highest;
}
