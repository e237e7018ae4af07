/**
 * Of a file that is imported: 60 million weights in single precision. It is stored as one value, which the driver reads as a text of two
 * characters a byte; Node's texts have 512 MB at most.
 */
export const MAX_IMPORT_BYTES = 240 * 2 ** 20;
/** Files are stored and read in parts: a value of Postgres has a gigabyte at most, and a driver's text of one twice as much. */
export const IMPORT_PART_BYTES = 16 * 2 ** 20;
/** Of the JSON that says what a file does not, with a tokenizer. */
export const MAX_SPEC_BYTES = 32 * 2 ** 20;
