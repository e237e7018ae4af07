import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../../src/bridge/frames.ts';
import { LongRequest } from '../../../src/bridge/long-request.ts';
import { Room } from '../../../src/bridge/room.ts';
import { Cancelled, UndefinedObject } from '../../../src/errors/errors.ts';

const { signal } = new AbortController();
const admitted = (): void => undefined;
/** Whether so many bytes are free. */
function isFree(room: Room, bytes: number): boolean {
  const looking = new AbortController();
  const given = room.take(bytes, looking.signal);
  given?.catch(() => undefined);
  looking.abort(new Cancelled('only looking'));
  if (given === undefined) room.give(bytes);
  return given === undefined;
}

describe('a long request', () => {
  it('holds its room from when it is let in until it is released', () => {
    const room = new Room(100);
    const request = new LongRequest(60, room);
    expect(request.screen(admitted)).toBeUndefined();
    expect([isFree(room, 40), isFree(room, 41)]).toEqual([true, false]);
    request.release();
    request.release();
    expect([isFree(room, 100), isFree(room, 101)]).toEqual([true, false]);
  });

  it('waits for room, and then holds it', async () => {
    const room = new Room(100);
    const [first, second] = [new LongRequest(60, room), new LongRequest(60, room)];
    void first.screen(admitted);
    const screened = second.screen(() => Promise.resolve());
    expect(screened).toBeInstanceOf(Promise);
    first.release();
    await screened;
    expect(second.refusal).toBeUndefined();
    expect([isFree(room, 40), isFree(room, 41)]).toEqual([true, false]);
    second.abort();
    expect(isFree(room, 100)).toBe(true);
  });

  it.each([
    ['at once', () => Promise.reject(new UndefinedObject('no model'))],
    [
      'later',
      () => {
        throw new UndefinedObject('no model');
      },
    ],
  ])('keeps why it was refused, and takes no room (%s)', async (_, admit) => {
    const room = new Room(100);
    const request = new LongRequest(60, room);
    await request.screen(admit);
    expect(request.refusal).toBeInstanceOf(UndefinedObject);
    expect(isFree(room, 100)).toBe(true);
  });

  it('waits no more when its client is gone, not even where room came in the same moment', async () => {
    const room = new Room(100);
    void room.take(60, signal);
    const [first, second] = [new LongRequest(60, room), new LongRequest(60, room)];
    const screened = [first.screen(admitted), second.screen(admitted)];
    first.abort();
    room.give(60);
    second.abort();
    await Promise.all(screened.filter((each) => each !== undefined));
    expect(first.refusal).toBeInstanceOf(Cancelled);
    expect(isFree(room, 100)).toBe(true);
    const late = new LongRequest(60, room);
    late.abort();
    void late.screen(admitted);
    expect(late.refusal).toBeInstanceOf(Cancelled);
    expect(isFree(room, 100)).toBe(true);
  });

  it('is thrown away as it comes', () => {
    const reader = new FrameReader();
    const request = new LongRequest(6, new Room(100));
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

describe('room for long requests', () => {
  it('is given in turn, to no small one before a large one that waits', async () => {
    const room = new Room(100);
    void room.take(60, signal);
    const order: string[] = [];
    const taken = [
      room.take(100, signal)?.then(() => order.push('large')),
      room.take(10, signal)?.then(() => order.push('small')),
    ];
    expect(taken).not.toContain(undefined);
    room.give(60);
    await taken[0];
    expect(order).toEqual(['large']);
    room.give(100);
    await taken[1];
    expect(order).toEqual(['large', 'small']);
  });

  it('goes on to the next when the first in turn is gone', async () => {
    const room = new Room(100);
    void room.take(60, signal);
    const gone = new AbortController();
    const large = room.take(100, gone.signal);
    const small = room.take(10, signal);
    gone.abort(new Cancelled('gone'));
    await expect(large).rejects.toBeInstanceOf(Cancelled);
    await small;
    expect([isFree(room, 30), isFree(room, 31)]).toEqual([true, false]);
  });
});
