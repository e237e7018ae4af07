import { expect, test } from 'vitest';
import { AuthenticationFailed } from '../../../src/errors/errors.ts';
import { credentialsOf } from '../../../src/http/sign-in/credentials.ts';
import { Failures } from '../../../src/http/sign-in/failures.ts';
import { ManualClock } from '../../../src/runtime/clock.ts';

const header = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test('the password is what follows the first colon', () => {
  expect(credentialsOf(header('ann:a:b c'))).toEqual({ role: 'ann', password: 'a:b c' });
  expect(credentialsOf(header('änne:пароль').replace('Basic', 'basic'))).toEqual({ role: 'änne', password: 'пароль' });
});

test.each([
  undefined,
  '',
  'Basic',
  'Basic !!!',
  'Bearer abc',
  header('ann'),
  header(':x'),
  header('ann:'),
  header('a\x1fnn:x'),
  header('ann:x\0y'),
  header('ann\n:x'),
  header(`${'a'.repeat(64)}:x`),
  header(`ann:${'x'.repeat(2000)}`),
  header('rafiki_service:x'),
  header('rafiki_reader:x'),
  header('rafiki_owner:x'),
  `Basic ${Buffer.from([0x61, 0xff, 0x3a, 0x62]).toString('base64')}`,
])('%j is refused', (text) => {
  expect(() => credentialsOf(text)).toThrow(AuthenticationFailed);
});

test('failures are counted by the minute, and of a bounded number of keys', () => {
  const clock = new ManualClock();
  const failures = new Failures(clock, 3);
  for (let i = 0; i < 3; i++) {
    expect(failures.waitSeconds('a')).toBe(0);
    failures.add('a');
  }
  expect(failures.waitSeconds('a')).toBe(60);
  expect(failures.waitSeconds('b')).toBe(0);
  clock.advance(59_500);
  expect(failures.waitSeconds('a')).toBe(1);
  clock.advance(500);
  expect(failures.waitSeconds('a')).toBe(0);
  for (let i = 0; i < 3; i++) failures.add('first');
  for (let i = 0; i < 10_000; i++) failures.add(`other ${i}`);
  expect(failures.waitSeconds('first')).toBe(0);
});
