import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolViolation } from '../../../src/errors/errors.ts';
import { parseInputs, readInputs } from '../../../src/protocol/input-array.ts';

describe('the texts of an array', () => {
  it('are those of its JSON, however it is spaced', () => {
    const texts = fc.array(fc.option(fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'))));
    fc.assert(
      fc.property(texts, fc.constantFrom(undefined, 1, '\n\t '), (values, space) => {
        expect(parseInputs(JSON.stringify(values, null, space))).toEqual(values);
      }),
    );
  });

  it('are refused if the JSON is invalid, or has other values', () => {
    const almost = fc.stringMatching(/^[[\]"\\,u0nl {}1]{0,30}$/);
    fc.assert(
      fc.property(almost, (json) => {
        let values: unknown;
        try {
          values = JSON.parse(json);
        } catch {}
        const isTexts =
          Array.isArray(values) &&
          values.every((value) => value === null || (typeof value === 'string' && !value.includes('\0')));
        if (isTexts) expect(parseInputs(json)).toEqual(values);
        else expect(() => parseInputs(json)).toThrowError(ProtocolViolation);
      }),
      { numRuns: 5000 },
    );
  });

  it('are limited in number', () => {
    expect(parseInputs(`[${'"",'.repeat(65_535)}""]`)).toHaveLength(65_536);
    expect(() => parseInputs(`[${'"",'.repeat(65_536)}""]`)).toThrowError(
      expect.objectContaining({ sqlstate: '54000' }),
    );
  });
});

/** As `array_send` writes a text[], in base64 with its line breaks; test/pg/protocol-fixtures.test.ts compares with Postgres. */
function packed(values: readonly (string | null)[]): Buffer {
  const int = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer).swap32();
  if (values.length === 0) return Buffer.concat([0, 0, 25].map(int));
  const texts = values.map((value) => (value === null ? null : Buffer.from(value)));
  const elements = texts.flatMap((text) => (text === null ? [int(-1)] : [int(text.length), text]));
  return Buffer.concat([...[1, Number(values.includes(null)), 25, values.length, 1].map(int), ...elements]);
}
const lines = (bytes: Buffer): string => bytes.toString('base64').replace(/.{76}/g, '$&\n');

describe('the texts of an array as Postgres sends it', () => {
  const texts = fc.array(fc.option(fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))));

  it('are those that were sent', () => {
    fc.assert(fc.property(texts, (values) => void expect(readInputs(lines(packed(values)))).toEqual(values)));
  });

  it('are read whole, or refused, whatever the bytes', () => {
    const changed = fc.record({ values: texts, at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat(8) });
    fc.assert(
      fc.property(changed, ({ values, at, to, cut }) => {
        const bytes = packed(values);
        bytes[at % bytes.length] = to;
        const sent = bytes.subarray(0, bytes.length - cut).toString('base64');
        try {
          for (const text of readInputs(sent)) expect(text === null || !text.includes('\0')).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ sqlstate: expect.stringMatching(/^(08P01|54000)$/) });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('are limited in number', () => {
    expect(readInputs(lines(packed(Array(65_536).fill(''))))).toHaveLength(65_536);
    expect(() => readInputs(lines(packed(Array(65_537).fill(''))))).toThrowError(
      expect.objectContaining({ sqlstate: '54000' }),
    );
  });
});
