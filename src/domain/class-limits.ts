import { BadData } from '../errors/errors.ts';

/** Maximum length of a label, which is a name, not a text. */
export const MAX_LABEL_CHARS = 1000;
/**
 * Maximum classes of a study. Each is a column of a network's last layer and a row in each answer with probabilities;
 * the largest common data sets have a thousand classes for images, some thousand for texts. Their total size is limited
 * because every server keeps those of every model.
 */
export const MAX_CLASSES = 10_000;
export const MAX_CLASS_BYTES = 2 ** 20;

/** Characters as Postgres counts them. */
const charsOf = (text: string): number => (text.length <= MAX_LABEL_CHARS ? text.length : [...text].length);

export function checkLabel(label: string): void {
  if (charsOf(label) > MAX_LABEL_CHARS) throw labelTooLong();
}

export const labelTooLong = (): BadData =>
  new BadData('a label is too long', {
    detail: `It has more than ${MAX_LABEL_CHARS} characters.`,
    hint: 'Correct the row, or name another column with target =>: this one may be no label.',
  });

export function checkClassCount(classes: readonly string[]): void {
  const bytes = classes.reduce((sum, label) => sum + Buffer.byteLength(label), 0);
  if (classes.length <= MAX_CLASSES && bytes <= MAX_CLASS_BYTES) return;
  throw new BadData('the rows have too many classes', {
    detail: `${classes.length} labels of ${bytes} bytes together; the limits are ${MAX_CLASSES} and ${MAX_CLASS_BYTES}.`,
    hint: 'Group rare classes under one label in a view, or name another column with target =>: this one may be no label.',
  });
}
