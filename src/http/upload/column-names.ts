import { BadData } from '../../errors/errors.ts';

/** A table of Postgres may have more, but rows are too wide long before. */
export const MAX_UPLOADED_COLUMNS = 1000;
const MAX_NAME_BYTES = 63;

/** Throws {@link BadData}. The number is checked first: a header may have millions of names. */
export function checkNames(names: string[]): string[] {
  if (names.length === 0) throw unusable('It has no columns.');
  if (names.length > MAX_UPLOADED_COLUMNS) throw unusable(`It has more than ${MAX_UPLOADED_COLUMNS} columns.`);
  const seen = new Set<string>();
  for (const name of names) {
    const isValid = name !== '' && !name.includes('\0') && Buffer.byteLength(name) <= MAX_NAME_BYTES;
    if (!isValid || seen.has(name)) {
      const fault = isValid ? 'there twice' : 'empty or too long';
      throw unusable(`The name of a column is ${fault}: "${name.slice(0, 100)}".`);
    }
    seen.add(name);
  }
  return names;
}

const unusable = (detail: string): BadData =>
  new BadData('the columns of the uploaded file cannot be used', {
    detail,
    hint: 'The first line of a CSV file names them; a line of JSON is an object.',
  });
