/** A type of PostgreSQL for a column of texts, and what a value of it looks like. */
export interface TextType {
  type: string;
  /** A regular expression that means the same in JavaScript and in PostgreSQL. Whatever it matches can be cast to the type. */
  pattern: string;
}

const month31 = '(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])';
const month30 = '(0[469]|11)-(0[1-9]|[12][0-9]|30)';
const february = '02-(0[1-9]|1[0-9]|2[0-8])';
const leapYear = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)';
const day = `(?!0000)([0-9]{4}-(${month31}|${month30}|${february})|${leapYear}-02-29)`;
const time = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?';
const zone = '(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)';

/**
 * The narrowest first. Whole numbers that begin with a zero, or with a plus, are codes: postcodes, telephone numbers. Times without a zone stay local, as
 * predictions are given them: with one, the session's zone would change them.
 */
export const textTypes: readonly TextType[] = [
  { type: 'bigint', pattern: '^-?(0|[1-9][0-9]{0,17})$' },
  { type: 'numeric', pattern: '^-?(0|[1-9][0-9]{0,37})$' }, // of several long numbers, double precision would make one
  {
    type: 'float8',
    pattern: '^(?!-?0[0-9])(?=[^ ]{1,39}$)-?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]{1,2})?$',
  },
  { type: 'boolean', pattern: '^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$' },
  { type: 'date', pattern: `^${day}$` },
  { type: 'timestamp', pattern: `^${day}[ T]${time}$` },
  { type: 'timestamptz', pattern: `^${day}[ T]${time}${zone}$` },
];

/** Of a column whose values fit none of them, or that has none. */
export const PLAIN_TEXT = 'text';
