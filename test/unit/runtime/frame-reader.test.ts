import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RafikiError } from '../../../src/errors/rafiki-error.ts';
import { FrameReader } from '../../../src/runtime/frames/frame-reader.ts';

const LIMIT = 1024;

function frame(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length, type);
  bytes.writeInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

/** Cuts `bytes` at the given places and collects what the reader makes of the pieces. */
function read(bytes: Buffer, cuts: readonly number[]): string[] {
  const reader = new FrameReader();
  const seen: string[] = [];
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i++) {
    const piece = bytes.subarray(places[i - 1], places[i]);
    if (piece.length > 0) reader.push(Buffer.from(piece));
    for (let next = reader.next(LIMIT); next !== null; next = reader.next(LIMIT)) {
      seen.push(`${next.type}:${next.body.toString('hex')}`);
    }
  }
  return seen;
}

describe('FrameReader', () => {
  it('gives the same frames however the bytes are cut', () => {
    const frames = fc.array(fc.tuple(fc.constantFrom('Q', 'p', 'X'), fc.uint8Array({ maxLength: 200 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 40 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(([type, body]) => frame(type, body)));
        const expected = sent.map(([type, body]) => `${type.charCodeAt(0)}:${Buffer.from(body).toString('hex')}`);
        expect(read(bytes, cuts)).toEqual(expected);
      }),
    );
  });

  it('answers garbage with frames or with an error of ours, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(), { maxLength: 20 }), (garbage, cuts) => {
        try {
          read(Buffer.from(garbage), cuts);
        } catch (error) {
          expect(error).toBeInstanceOf(RafikiError);
        }
      }),
    );
  });

  it('refuses a frame with too large a length before it arrives', () => {
    const reader = new FrameReader();
    reader.push(Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff]));
    expect(() => reader.next(LIMIT)).toThrowError(/length/);
  });

  it('passes the beginning of a long frame on as soon as it arrives, but not of a short one', () => {
    const reader = new FrameReader();
    const bytes = frame('Q', Buffer.from('0123456789'));
    reader.push(bytes.subarray(0, 7));
    expect(reader.head(9, 3)).toBeNull();
    expect(reader.head(9, 2)).toEqual({ bytes: 10, prefix: Buffer.from('01') });
    expect(reader.head(10, 2)).toBeNull();
    reader.push(bytes.subarray(7));
    expect(reader.next(LIMIT)?.body.toString()).toBe('0123456789');
    expect(reader.buffered).toBe(0);
  });

  it('accepts lengths from the minimum to the maximum', () => {
    const opening = (length: number): Buffer => {
      const bytes = Buffer.alloc(Math.max(4, length));
      bytes.writeInt32BE(length, 0);
      return bytes;
    };
    const next = (bytes: Buffer, most: number): unknown => {
      const reader = new FrameReader();
      reader.push(bytes);
      return reader.nextUntyped(most)?.body.length;
    };
    expect([next(opening(8), 20), next(opening(20), 20)]).toEqual([4, 16]);
    for (const length of [7, 21]) expect(() => next(opening(length), 20)).toThrowError(/length/);
    const reader = new FrameReader();
    reader.push(Buffer.from([0x51, 0, 0, 0, 4, 0x51]));
    expect(() => reader.checkEmpty()).toThrowError(/unencrypted bytes/);
    expect(reader.next(4)?.body).toHaveLength(0);
    reader.clear();
    expect([reader.buffered, reader.checkEmpty()]).toEqual([0, undefined]);
  });

  it('accepts a megabyte byte by byte without copying it each time', () => {
    const bytes = frame('Q', Buffer.alloc(1_000_000, 'a'));
    const reader = new FrameReader();
    const startedMs = performance.now();
    for (let i = 0; i < bytes.length; i++) {
      reader.push(bytes.subarray(i, i + 1));
      if (i < bytes.length - 1 && i % 1000 === 0) expect(reader.next(2_000_000)).toBeNull();
    }
    expect(reader.next(2_000_000)?.body.length).toBe(1_000_000);
    // a copy per piece would be 500 GB of copying: minutes
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });
});
