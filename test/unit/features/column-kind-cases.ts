/** Values of a kind of column, as `to_json` writes them. */
export interface ColumnKindCase {
  /** At least two that differ for a model. */
  values: readonly [unknown, unknown, ...unknown[]];
  /** Those that are none of the kind. */
  others: readonly unknown[];
}

export const columnKindCases: Readonly<Record<string, ColumnKindCase>> = {
  number: { values: [1, -2.5, '1e3', 'NaN', 'Infinity'], others: ['one', true] },
  boolean: { values: [true, false], others: [1, 'yes'] },
  text: { values: ['cook', 'clerk', ''], others: [] },
  time: { values: ['2026-11-29', '2026-11-30T12:34:56.5+01:00', 'infinity'], others: ['29.11.2026', 5] },
  interval: { values: ['3 days', '-01:30:00', '95400.250000', 'infinity'], others: ['soon', 5] },
  object: {
    values: [{ size: 4, colour: 'red' }, { size: 5, isNew: true, colour: 'blue' }, {}, { colour: null, parts: [1] }],
    others: ['{}', 5, [{}]],
  },
  list: {
    values: [
      [1, 2.5],
      [3, null],
      [],
      [
        [1, 2],
        [3, 4],
      ],
      ['NaN', 'Infinity'],
    ],
    others: ['[]', 5, ['one'], [true], [{}]],
  },
};
