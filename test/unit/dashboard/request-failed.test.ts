import { expect, test } from 'vitest';
import { asFailed, failedAnswer, failureOfEvent, RequestFailed } from '../../../src/dashboard/api/request-failed.ts';
import { sentence } from '../../../src/dashboard/format.ts';
import { STUDY_PAGE, withNewest, withOlder } from '../../../src/dashboard/state/study-list.ts';
import type { StudyAnswer } from '../../../src/http/routes/studies.ts';

test('an answer of a proxy is told by its status', async () => {
  for (const body of [
    '{"detail": "bad gateway"}',
    '<html>',
    '"no"',
    'null',
    '{"error": "no"}',
    '{"error": {"code": 7}}',
  ]) {
    const failure = await failedAnswer(new Response(body, { status: 502 }));
    expect([body, failure.message]).toEqual([body, 'the server answered 502']);
  }
});

test('hints for clients of REST do not reach people, others do', async () => {
  const hintOf = async (hint: string) =>
    (await failedAnswer(Response.json({ error: { code: '42704', message: 'no', hint } }, { status: 404 }))).hint;
  expect(await hintOf('GET /v1/studies lists yours.')).toBeUndefined();
  expect(await hintOf('Send a Postgres role and its password by HTTP Basic: curl --user ROLE …')).toBeUndefined();
  expect(await hintOf('GET /v1/datasets lists what you may read. A table needs its schema: schema.table.')).toBe(
    'A table needs its schema: schema.table.',
  );
  expect(await hintOf('Wait for a trial, or cancel it.')).toBe('Wait for a trial, or cancel it.');
});

test('a connection that is cut within an answer is a failure that is shown', async () => {
  const thrown: unknown = await new Response('{"half": ').json().catch((error: unknown) => error);
  expect(thrown).not.toBeInstanceOf(RequestFailed);
  expect(asFailed(thrown)).toMatchObject({ message: 'the answer of the server did not arrive whole' });
});

test('the error of a stream is told as that of an answer', () => {
  const error = failureOfEvent({ status: 403, code: '42501', message: 'not yours', hint: 'Ask.' });
  expect(error).toMatchObject({ status: 403, message: 'not yours', hint: 'Ask.' });
  expect(failureOfEvent(undefined).message).toBe('the server ended the connection');
});

test('messages begin with a capital, names as they are', () => {
  expect(sentence('the server does not answer')).toBe('The server does not answer');
  expect(sentence('public.mails has no column "sold"')).toBe('public.mails has no column "sold"');
  expect(sentence('"mails" is a view')).toBe('"mails" is a view');
});

test('a list of studies has each once, without gaps, while new ones come', () => {
  const studies = (from: number, to: number): StudyAnswer[] =>
    Array.from({ length: from - to + 1 }, (_, i) => ({ study: from - i }) as StudyAnswer);
  const numbers = (list: readonly StudyAnswer[]): number[] => list.map(({ study }) => study);
  const whole = numbers(studies(253, 51));
  let list = withNewest([], studies(250, 251 - STUDY_PAGE));
  list = withNewest(list, studies(253, 254 - STUDY_PAGE));
  expect(list).toHaveLength(103);
  list = withOlder(list, studies(150, 51));
  expect(numbers(list)).toEqual(whole);
  list = withOlder(list, studies(52, 50));
  expect(numbers(list)).toEqual([...whole, 50]);
  expect(numbers(withNewest(list, studies(3, 1)))).toEqual([3, 2, 1]);
});
