import { BadData, RequestTooLarge } from '../../errors/errors.ts';

/** Of an archive's names and labels, in messages. */
export const shortened = (text: string): string => text.slice(0, 100);

export const unreadable = (detail: string, hint: string, cause?: unknown): BadData =>
  new BadData('the archive cannot be read', { detail, hint, cause });

export const tooMuch = (detail: string): RequestTooLarge =>
  new RequestTooLarge('the archive is too large', { detail, hint: 'Split it.' });
