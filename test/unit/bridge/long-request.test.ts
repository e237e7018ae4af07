import { describe, expect, it } from 'vitest';
import { LongRequest } from '../../../src/bridge/long-request.ts';
import { Cancelled, UndefinedObject } from '../../../src/errors/errors.ts';
import { FrameReader } from '../../../src/runtime/frames/frame-reader.ts';
import { MemoryBudget } from '../../../src/runtime/memory-budget.ts';

const { signal } = new AbortController();
const admitted = (): void => undefined;
/** Whether so many bytes are free. */
function isFree(budget: MemoryBudget, bytes: number): boolean {
  const looking = new AbortController();
  const given = budget.acquire(bytes, looking.signal);
  given?.catch(() => undefined);
  looking.abort(new Cancelled('only looking'));
  if (given === undefined) budget.release(bytes);
  return given === undefined;
}

describe('a long request', () => {
  it('holds its budget from when it is let in until it is released', () => {
    const budget = new MemoryBudget(100);
    const request = new LongRequest(60, budget);
    expect(request.screen(admitted)).toBeUndefined();
    expect([isFree(budget, 40), isFree(budget, 41)]).toEqual([true, false]);
    request.release();
    request.release();
    expect([isFree(budget, 100), isFree(budget, 101)]).toEqual([true, false]);
  });

  it('waits for budget, and then holds it', async () => {
    const budget = new MemoryBudget(100);
    const [first, second] = [new LongRequest(60, budget), new LongRequest(60, budget)];
    void first.screen(admitted);
    const screened = second.screen(() => Promise.resolve());
    expect(screened).toBeInstanceOf(Promise);
    first.release();
    await screened;
    expect(second.refusal).toBeUndefined();
    expect([isFree(budget, 40), isFree(budget, 41)]).toEqual([true, false]);
    second.abort();
    expect(isFree(budget, 100)).toBe(true);
  });

  it.each([
    ['at once', () => Promise.reject(new UndefinedObject('no model'))],
    [
      'later',
      () => {
        throw new UndefinedObject('no model');
      },
    ],
  ])('keeps why it was refused, and takes no budget (%s)', async (_, admit) => {
    const budget = new MemoryBudget(100);
    const request = new LongRequest(60, budget);
    await request.screen(admit);
    expect(request.refusal).toBeInstanceOf(UndefinedObject);
    expect(isFree(budget, 100)).toBe(true);
  });

  it('stops waiting when its client disconnects, even if memory becomes free in the same moment', async () => {
    const budget = new MemoryBudget(100);
    void budget.acquire(60, signal);
    const [first, second] = [new LongRequest(60, budget), new LongRequest(60, budget)];
    const screened = [first.screen(admitted), second.screen(admitted)];
    first.abort();
    budget.release(60);
    second.abort();
    await Promise.all([...screened].map(async (each) => each));
    expect(first.refusal).toBeInstanceOf(Cancelled);
    expect(isFree(budget, 100)).toBe(true);
    const late = new LongRequest(60, budget);
    late.abort();
    void late.screen(admitted);
    expect(late.refusal).toBeInstanceOf(Cancelled);
    expect(isFree(budget, 100)).toBe(true);
  });

  it('is discarded while it arrives', () => {
    const reader = new FrameReader();
    const request = new LongRequest(6, new MemoryBudget(100));
    const next = Buffer.from([88, 0, 0, 0, 4]);
    reader.push(Buffer.from([81, 0, 0, 0, 10, 1, 2]));
    expect(request.discardFrom(reader)).toBe(false);
    reader.push(Buffer.from([3]));
    expect(request.discardFrom(reader)).toBe(false);
    reader.push(Buffer.concat([Buffer.from([4, 5, 6]), next]));
    expect(request.discardFrom(reader)).toBe(true);
    expect(reader.next(100)).toEqual({ type: 88, body: Buffer.alloc(0) });
  });
});

describe('budget for long requests', () => {
  it('is given in turn, to no small one before a large one that waits', async () => {
    const budget = new MemoryBudget(100);
    void budget.acquire(60, signal);
    const order: string[] = [];
    const taken = [
      budget.acquire(100, signal)?.then(() => order.push('large')),
      budget.acquire(10, signal)?.then(() => order.push('small')),
    ];
    expect(taken).not.toContain(undefined);
    budget.release(60);
    await taken[0];
    expect(order).toEqual(['large']);
    budget.release(100);
    await taken[1];
    expect(order).toEqual(['large', 'small']);
  });

  it('continues with the next one if the first disconnects', async () => {
    const budget = new MemoryBudget(100);
    void budget.acquire(60, signal);
    const gone = new AbortController();
    const large = budget.acquire(100, gone.signal);
    const small = budget.acquire(10, signal);
    gone.abort(new Cancelled('gone'));
    await expect(large).rejects.toBeInstanceOf(Cancelled);
    await small;
    expect([isFree(budget, 30), isFree(budget, 31)]).toEqual([true, false]);
  });
});
