import type { InputKind } from '../../domain/task.ts';
import { sampleImage } from '../../features/images.ts';

const sampleText =
  'an idea that sounds good on paper , told with warmth and wit , and not a minute too long for what it has to say';

/** A typical input, as it is sent over the wire, for measuring latencies. */
export const sampleInput = async (kind: InputKind): Promise<string> =>
  kind === 'text' ? sampleText : (await sampleImage()).toString('base64');
