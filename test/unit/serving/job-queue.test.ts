import { expect, it } from 'vitest';
import { type Job, JobQueue } from '../../../src/serving/devices/job-queue.ts';

const everywhere = () => true;
const thread = { loaded: new Set([1, 2]), isReserved: false };
const job = (id: number, role?: string, isLong = false): Job => ({
  id,
  work: role === undefined ? undefined : { rows: new Map([[role, 1]]), isLong, onStart: () => undefined },
});

it('runs the batches of one role in the order in which they came', () => {
  const queue = new JobQueue<Job>();
  const jobs = [job(1), job(2), job(1)];
  for (const each of jobs) queue.push(each);
  expect(jobs.map(() => queue.take(thread, everywhere))).toEqual(jobs);
});

it('next runs a batch of the role that had least of the threads, with any model', () => {
  const queue = new JobQueue<Job>();
  for (let i = 0; i < 10; i++) queue.push(job(1 + (i % 2), 'a'));
  const first = queue.take(thread, everywhere);
  expect(first?.work?.rows.has('a')).toBe(true);
  queue.ran(first as Job, 20);
  const modest = job(2, 'b');
  queue.push(modest);
  expect(queue.take(thread, everywhere)).toBe(modest);
  queue.ran(modest, 1);
  queue.push(job(2, 'b'));
  expect(queue.take(thread, everywhere)?.work?.rows.has('b')).toBe(true);
});

it('keeps one thread free of batches that take long, unless no other has their model', () => {
  const queue = new JobQueue<Job>();
  const long = job(1, 'a', true);
  const short = job(1, 'b');
  queue.push(long);
  expect(queue.take({ ...thread, isReserved: true }, everywhere)).toBeUndefined();
  queue.push(short);
  expect(queue.take({ ...thread, isReserved: true }, everywhere)).toBe(short);
  expect(queue.take({ ...thread, isReserved: true }, () => false)).toBe(long);
});
