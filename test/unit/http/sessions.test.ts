import { expect, test } from 'vitest';
import { PageSessions } from '../../../src/http/sign-in/sessions.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const limits = { sessions: 5, sessionsOfRole: 2, sessionIdleMs: 1_000, sessionMaxMs: 10_000 };
const start = () => {
  const clock = new ManualClock();
  return { clock, sessions: new PageSessions(limits, clock) };
};

test('cookie and key together find a session, neither alone does', () => {
  const { sessions } = start();
  const own = sessions.begin('ann', 'Basic x');
  const other = sessions.begin('bob', 'Basic y');
  expect(sessions.of(own)).toMatchObject({ role: 'ann', authorization: 'Basic x' });
  expect(sessions.of({ token: own.token, key: other.key })).toBeUndefined();
  expect(sessions.of({ token: own.token, key: '' })).toBeUndefined();
  expect(sessions.of({ token: other.key, key: own.token })).toBeUndefined();
  expect(sessions.of({ token: own.key, key: own.key })).toBeUndefined();
});

test('one that is not used ends, and each after the longer time', () => {
  const { clock, sessions } = start();
  const used = sessions.begin('ann', 'Basic x');
  const unused = sessions.begin('ann', 'Basic x');
  const kept = sessions.of(used);
  for (let ms = 900; ms < limits.sessionMaxMs; ms += 900) {
    clock.advance(900);
    expect(sessions.of(used)).toBeDefined();
  }
  expect(sessions.of(unused)).toBeUndefined();
  clock.advance(100);
  expect(sessions.of(used)).toBeUndefined();
  expect(kept?.ended.aborted).toBe(true);
});

test('a sweep forgets passwords of those that nobody asks for again', () => {
  const { clock, sessions } = start();
  sessions.begin('ann', 'Basic x');
  clock.advance(1_000);
  sessions.sweep();
  expect(sessions.size).toBe(0);
});

test('the least recently used makes room: of the role first, then of all', () => {
  const { sessions } = start();
  const first = sessions.begin('ann', 'Basic x');
  const second = sessions.begin('ann', 'Basic x');
  sessions.of(first);
  const third = sessions.begin('ann', 'Basic x');
  expect([first, second, third].map((each) => sessions.of(each) !== undefined)).toEqual([true, false, true]);
  const others = ['b', 'c', 'd', 'e'].map((role) => sessions.begin(role, 'Basic y'));
  expect(sessions.size).toBe(limits.sessions);
  expect(sessions.of(first)).toBeUndefined();
  expect(others.every((each) => sessions.of(each) !== undefined)).toBe(true);
});

test('an ended session is over, and those who follow it are told', () => {
  const { sessions } = start();
  const own = sessions.begin('ann', 'Basic x');
  const session = sessions.of(own);
  if (session === undefined) throw new Error('there is none');
  sessions.end(session);
  expect(session.ended.aborted).toBe(true);
  expect(sessions.of(own)).toBeUndefined();
});
