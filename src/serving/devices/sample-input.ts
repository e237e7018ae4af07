import type { InputKind } from '../../domain/task.ts';
import { sampleImage } from '../../features/images.ts';

const sampleText =
  'an idea that sounds good on paper , told with warmth and wit , and not a minute too long for what it has to say';

/** A typical input, as it is sent over the wire, for measuring latencies; a row takes as long whatever is in its columns. */
export async function sampleInput(kind: InputKind, columns: readonly string[]): Promise<string> {
  if (kind === 'columns') return JSON.stringify(Object.fromEntries(columns.map((name) => [name, null])));
  return kind === 'text' ? sampleText : (await sampleImage()).toString('base64');
}
