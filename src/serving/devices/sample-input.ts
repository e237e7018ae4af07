import type { InputKind, RawInput } from '../../domain/task.ts';
import { sampleImage } from '../../features/images.ts';

const sampleText =
  'an idea that sounds good on paper , told with warmth and wit , and not a minute too long for what it has to say';

/** A typical input, as it is sent over the wire, for measuring latencies; a row takes as long whatever is in its columns. */
export async function sampleInput(kind: InputKind, columns: readonly string[]): Promise<string> {
  if (kind === 'columns') return JSON.stringify(Object.fromEntries(columns.map((name) => [name, null])));
  if (kind === 'text') return sampleText;
  return (await sampleImage()).toString('base64');
}

/** Whether latencies may be measured with it: its answers must be computed each time. The image that they are measured with is a random one. */
export const isSample = (input: RawInput): boolean => typeof input !== 'string' || input === sampleText;
