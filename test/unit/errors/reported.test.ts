import { expect, test } from 'vitest';
import { reportError } from '../../../src/errors/rafiki-error.ts';
import { readReport } from '../../../src/errors/reported.ts';

/** Reports of other processes, and what becomes of their texts. */
const report = {
  sqlstate: '22000',
  message: 'the image cannot be read',
  detail: 'It is empty.',
  hint: 'Send another.',
};

test('a report is what it was', () => {
  expect(readReport(report)).toEqual(report);
  expect(readReport({ sqlstate: 'XX000', message: 'x', more: 1 })).toEqual({ sqlstate: 'XX000', message: 'x' });
});

test.each([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'an error'],
  ['a list', [report]],
  ['no SQLSTATE', { ...report, sqlstate: undefined }],
  ['an SQLSTATE that is none', { ...report, sqlstate: "22000'" }],
  ['a long SQLSTATE', { ...report, sqlstate: '2'.repeat(2 ** 20) }],
  ['no message', { ...report, message: undefined }],
  ['a message of another type', { ...report, message: { length: 5 } }],
  ['a detail of another type', { ...report, detail: 5 }],
  ['a hint of another type', { ...report, hint: [] }],
])('%s is no report', (_, given) => {
  expect(readReport(given)).toBeUndefined();
});

test('a code that would mean something to who gets the error is none of it', () => {
  for (const sqlstate of ['28000', '40001', '57P01', '08006', '00000'])
    expect(readReport({ ...report, sqlstate })).toEqual({ ...report, sqlstate: '38000' });
  for (const sqlstate of ['22023', '53200', '54000'])
    expect(readReport({ ...report, sqlstate })).toMatchObject({ sqlstate });
});

test('its texts are cut, and can be stored', () => {
  const read = readReport({
    ...report,
    message: 'x'.repeat(2 ** 20),
    detail: 'a\0b\ud800c',
    hint: `${'y'.repeat(3998)}😀😀`,
  });
  expect(read).toEqual({
    ...report,
    message: `${'x'.repeat(3_999)}…`,
    detail: 'ab\ufffdc',
    hint: `${'y'.repeat(3998)}\ufffd…`,
  });
});

test('so are those of our own errors, which may name what a file has', () => {
  expect(reportError(new Error('class "a\0\udc00" is unknown')).message).toBe('class "a\ufffd" is unknown');
});
