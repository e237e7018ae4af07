/** Of a file that is imported: 130 million weights in single precision. A server has it in memory several times while it is loaded. */
export const MAX_IMPORT_BYTES = 512 * 2 ** 20;
/** Files are stored and read in parts: a value of Postgres has a gigabyte at most, and a driver's text of one twice as much. */
export const IMPORT_PART_BYTES = 16 * 2 ** 20;
/** Of the JSON that says what a file does not, with a tokenizer. */
export const MAX_SPEC_BYTES = 32 * 2 ** 20;
