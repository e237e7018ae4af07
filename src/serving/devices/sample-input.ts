import type { InputKind } from '../../domain/task.ts';
import { sampleImage } from '../../features/images.ts';

const sampleText =
  'an idea that sounds good on paper , told with warmth and wit , and not a minute too long for what it has to say';

/** An input like those that models see, as it comes over the wire: how long a batch takes is measured on it. */
export const sampleInput = async (kind: InputKind): Promise<string> =>
  kind === 'text' ? sampleText : (await sampleImage()).toString('base64');
