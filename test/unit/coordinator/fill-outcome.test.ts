import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOutcome } from '../../../src/coordinator/fill-outcome.ts';
import { BadData } from '../../../src/errors/errors.ts';

const read = (said: unknown) => readOutcome(JSON.stringify(said));
const nothing = { filled: 0, left: 0, remaining: null, place: null, error: null, unanswered: [] };
const row = { place: '(0,1)', version: '7', error: { sqlstate: '22023', message: 'no' } };

describe('the result of a fill function', () => {
  it('is parsed', () => {
    const error = { sqlstate: '42501', message: 'm', detail: 'd', hint: 'h' };
    const said = {
      filled: 2,
      left: 1,
      to_come: 3,
      place: '16384;16390;(0,1)',
      relation: 16384,
      error,
      unanswered: [row],
    };
    expect(read(said)).toEqual({
      ...{ filled: 2, left: 1, remaining: 3, place: '16384;16390;(0,1)', error },
      unanswered: [{ relation: 16384, ...row }],
    });
    expect(read({})).toEqual(nothing);
    expect(read({ error: null }).error).toEqual({ sqlstate: 'XX000', message: 'unknown error' });
  });

  it('is an error if it is invalid', () => {
    expect(() => readOutcome('{')).toThrowError(expect.objectContaining({ detail: '{' }));
    expect(() => readOutcome('x'.repeat(1000))).toThrowError(expect.objectContaining({ detail: 'x'.repeat(100) }));
    expect(() => readOutcome(null)).toThrowError(BadData);
    for (const said of [null, 1, 'text', [], [1]]) expect(read(said)).toEqual(nothing);
  });

  it.each([-1, 1.5, 2 ** 32 + 1, '1', null, true])('counts no %s rows', (count) => {
    expect(read({ filled: count, left: count, to_come: count })).toEqual(nothing);
  });

  it('counts up to 2^32 rows', () => {
    expect(read({ filled: 2 ** 32, left: 0, to_come: 0 })).toEqual({ ...nothing, filled: 2 ** 32, remaining: 0 });
  });

  it.each([
    ['a place', { place: '0,1' }],
    ['a version', { version: '-1' }],
    ['a text', { version: 7 }],
  ])('leaves out rows without %s', (_, changed) => {
    expect(read({ unanswered: [{ ...row, ...changed }, row] }).unanswered).toHaveLength(1);
  });

  it.each(['1;2;(0,1) ', 'x;2;(0,1)', '12345678901;2;(0,1)', '1;2;(0,123456)', '1;(0,1)'])(
    'goes on at no place "%s"',
    (place) => {
      expect(read({ place }).place).toBeNull();
    },
  );

  it('has at most a thousand rows, and a thousand characters of each error', () => {
    const error = (chars: number) => ({ sqlstate: '22023', message: 'x'.repeat(chars) });
    expect(read({ unanswered: Array.from({ length: 1001 }, () => row) }).unanswered).toHaveLength(1000);
    expect(read({ error: error(1000) }).error?.message).toHaveLength(1000);
    expect(read({ error: error(1001) }).error).toEqual({ sqlstate: '22023', message: 'unknown error' });
    expect(read({ error: { message: 'a\0b' } }).error?.message).toBe('unknown error');
  });

  it('does no harm whatever it is', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const { filled, left, unanswered } = readOutcome(text);
        expect(filled >= 0 && left >= 0 && unanswered.length <= 1000).toBe(true);
      }),
    );
  });
});
