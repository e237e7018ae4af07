import { BadData } from '../../errors/errors.ts';

/** Of a table in Postgres; rows are wide long before. */
export const MAX_COLUMNS = 1000;
const MAX_NAME_BYTES = 63;

/** Throws {@link BadData}. */
export function checkNames(names: string[]): string[] {
  const invalid = names.find((name) => name === '' || name.includes('\0') || Buffer.byteLength(name) > MAX_NAME_BYTES);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (names.length > 0 && names.length <= MAX_COLUMNS && invalid === undefined && twice === undefined) return names;
  const detail =
    names.length === 0
      ? 'It has no columns.'
      : names.length > MAX_COLUMNS
        ? `It has more than ${MAX_COLUMNS} columns.`
        : `The name of a column is ${twice === undefined ? 'empty or too long' : 'there twice'}: "${(twice ?? invalid ?? '').slice(0, 100)}".`;
  throw new BadData('the columns of the uploaded file cannot be used', {
    detail,
    hint: 'The first line of a CSV file names them; a line of JSON is an object.',
  });
}
