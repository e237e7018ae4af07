import { describe, expect, it } from 'vitest';
import { InvalidParameter } from '../../../src/errors/errors.ts';
import { parseDurationMs } from '../../../src/protocol/duration.ts';

describe('parseDurationMs', () => {
  it.each([
    ['50ms', 50],
    ['50 ms', 50],
    ['50.0000ms', 50],
    ['1 s', 1000],
    ['0.5s', 500],
    ['2 seconds', 2000],
    ['1 min', 60_000],
    ['1 hour 2 mins', 3_720_000],
    ['00:00:00.05', 50],
    ['00:01', 60_000],
    ['1 day 02:03:04', 93_784_000],
    ['1 2:03:04', 93_784_000],
    ['@ 0.05 secs', 50],
    ['PT0.05S', 50],
    ['PT1M', 60_000],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text)).toBeCloseTo(ms, 6);
  });

  it.each([
    'soon',
    '50',
    '-1 s',
    '0 ms',
    '00:00:00',
    '',
    '1 fortnight',
    '-00:00:01',
    '50ms; drop table',
    '31 days',
    'infinity',
    '1e9 s',
  ])('refuses "%s" with a hint', (text) => {
    expect(() => parseDurationMs(text)).toThrowError(InvalidParameter);
    expect(() => parseDurationMs(text)).toThrowError(
      expect.objectContaining({ sqlstate: '22023', hint: expect.any(String) }),
    );
  });

  it('refuses a long invalid text immediately', () => {
    // a regular expression that can read digits in two ways takes 2^n steps: for these, more than a day
    for (const text of [
      `${'11a'.repeat(21)}!`,
      `${'111111 a'.repeat(8)}`,
      '1'.repeat(64),
      `${'1s'.repeat(1_000_000)}!`,
    ]) {
      expect(() => parseDurationMs(text)).toThrowError(InvalidParameter);
    }
  });
});
