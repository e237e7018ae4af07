import { expect, test } from 'vitest';
import { CheckpointPace } from '../../../src/training/checkpoint-pace.ts';

/** When the next checkpoint is due, after one that was sent at `sentMs` and took so long to be stored. */
function nextMs(pace: CheckpointPace, sentMs: number, storingMs: number): number {
  pace.sent(sentMs);
  expect(pace.isStoring).toBe(true);
  pace.stored(sentMs + storingMs);
  expect(pace.isStoring).toBe(false);
  let ms = sentMs;
  while (!pace.isDue(ms)) ms += 500;
  return ms;
}

test('the interval doubles up to the wanted one, which small checkpoints keep', () => {
  const pace = new CheckpointPace({ first: 2_000, later: 20_000 }, 0);
  expect([pace.isDue(1_999), pace.isDue(2_000)]).toEqual([false, true]);
  const sent = [2_000];
  for (let i = 0; i < 5; i++) sent.push(nextMs(pace, sent.at(-1) ?? 0, 1_000));
  expect(sent).toEqual([2_000, 6_000, 14_000, 30_000, 50_000, 70_000]);
});

test('a checkpoint that takes long to store is stored less often, but not rarely after the database was away', () => {
  const pace = new CheckpointPace({ first: 20_000, later: 20_000 }, 0);
  expect(nextMs(pace, 20_000, 3_000)).toBe(80_000);
  expect(nextMs(pace, 80_000, 120_000)).toBe(380_000);
  expect(nextMs(pace, 380_000, 100)).toBe(400_000);
});
