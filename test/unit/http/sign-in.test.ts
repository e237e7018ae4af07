import { describe, expect, test, vi } from 'vitest';
import type { Database } from '../../../src/db/database.ts';
import { AuthenticationFailed } from '../../../src/errors/errors.ts';
import { errorAnswer } from '../../../src/http/error-answer.ts';
import { defaultHttpLimits } from '../../../src/http/limits.ts';
import { credentialsOf } from '../../../src/http/sign-in/credentials.ts';
import { Failures, networkOf } from '../../../src/http/sign-in/failures.ts';
import { SignIns } from '../../../src/http/sign-in/sign-ins.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

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

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0db8:1:2::', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('failures of %s count for %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

describe('who is refused', () => {
  const dead = (digit: string): string => `Bearer rafiki_${digit.repeat(64)}`;

  function start() {
    const query = vi.fn(async () => []);
    const warn = vi.fn();
    const database = { url: 'postgres://rafiki_service@127.0.0.1:1/x', query } as unknown as Database;
    const clock = new ManualClock();
    const signIns = new SignIns({
      ...{ database, api: 'public', clock },
      limits: { ...defaultHttpLimits, failuresOfAddress: 2 },
      logger: { ...silentLogger, warn },
    });
    const status = async (header: string, address: string): Promise<unknown> => {
      try {
        return await signIns.of(header, address);
      } catch (error) {
        return errorAnswer(error).status;
      }
    };
    return { clock, query, warn, status };
  }

  test('a malformed header does not count, and a dead token counts once and is looked up a few times', async () => {
    const { clock, query, status } = start();
    for (let i = 0; i < 5; i++) {
      expect(await status('Basic !!!', '192.0.2.7')).toBe(401);
      expect(await status('Basic', '192.0.2.7')).toBe(401);
      expect(await status(dead('a'), '192.0.2.7')).toBe(401);
    }
    expect(query).toHaveBeenCalledTimes(2);
    expect(await status(dead('b'), '192.0.2.7')).toBe(401);
    expect(await status(dead('c'), '192.0.2.7')).toBe(429);
    clock.advance(60_000);
    expect(await status(dead('a'), '192.0.2.7')).toBe(401);
    expect(query).toHaveBeenCalledTimes(4);
  });

  test('an IPv6 client has one address with its 64 bits, and the log names it twice', async () => {
    const { warn, status } = start();
    expect(await status(dead('a'), '2001:db8::1')).toBe(401);
    expect(await status(dead('b'), '2001:db8::2')).toBe(401);
    expect(await status(dead('c'), '2001:db8::3')).toBe(429);
    expect(await status(dead('c'), '2001:db8:0:1::3')).toBe(401);
    const address = '2001:db8:0:0::/64';
    expect(warn.mock.calls.filter(([fields]) => fields.address === address).map(([fields]) => fields)).toEqual([
      { address },
      { address, count: 2 },
    ]);
  });
});
