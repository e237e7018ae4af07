import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolViolation } from '../../../src/errors/errors.ts';
import { parseInputs } from '../../../src/protocol/input-array.ts';

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
