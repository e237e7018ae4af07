import { closeSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRoundFile, readRoundHead, updateRoundFile } from '../../../../src/training/joint/round-file.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rafiki-rounds-'));
  file = path.join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sums = (number: number, length = 1000) => ({
  head: { number },
  vectors: [Float64Array.from({ length }, (_, i) => number * i)],
});

describe('a file of a round that is written again and again', () => {
  it('is written in place while its size stays, also where numbers of its head get longer', () => {
    updateRoundFile(file, sums(9));
    const { ino } = statSync(file);
    for (const number of [10, 99_999, 2 ** 31]) {
      updateRoundFile(file, sums(number));
      expect(readRoundHead(file)).toEqual({ number });
      expect(readRoundFile(file)).toEqual(sums(number));
    }
    expect(statSync(file).ino).toBe(ino);
  });

  it.each([999, 1001, 0])('is replaced by one of another size: %i', (length) => {
    updateRoundFile(file, sums(1));
    updateRoundFile(file, sums(2, length));
    expect(readRoundFile(file)).toEqual(sums(2, length));
  });

  it('is not there while it is being written', () => {
    updateRoundFile(file, sums(1));
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.alloc(4), 0, 4, 0);
    closeSync(descriptor);
    expect(readRoundHead(file)).toBeUndefined();
    expect(readRoundFile(file)).toBeUndefined();
    updateRoundFile(file, sums(2));
    expect(readRoundFile(file)).toEqual(sums(2));
  });

  it.each([999, 1000])('that is written while it is being read is read at the next look: %i sums', (length) => {
    updateRoundFile(file, sums(1));
    const betweenReads = (): void => updateRoundFile(file, sums(2, 1000));
    const spare = [new Float64Array(length)];
    expect(readRoundFile(file, { spare, betweenReads })).toBeUndefined();
    expect(readRoundHead(file, { betweenReads: () => updateRoundFile(file, sums(3)) })).toBeUndefined();
    expect(readRoundFile(file, { spare })).toEqual(sums(3));
  });

  it('that is replaced while it is being read is read as it was', () => {
    updateRoundFile(file, sums(1));
    expect(readRoundFile(file, { betweenReads: () => updateRoundFile(file, sums(2, 7)) })).toEqual(sums(1));
    expect(readRoundFile(file)).toEqual(sums(2, 7));
  });

  it('is not foreign because it cannot be written', () => {
    updateRoundFile(file, sums(1));
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const [vector] = sums(2).vectors as [Float64Array];
    Object.defineProperty(vector, 'buffer', {
      get: () => {
        throw full;
      },
    });
    expect(() => updateRoundFile(file, { head: { number: 2 }, vectors: [vector] })).toThrow(full);
    updateRoundFile(file, sums(3));
    expect(readRoundFile(file)).toEqual(sums(3));
  });

  it('is no link: what that leads to stays as it is', () => {
    const other = path.join(folder, 'other');
    writeFileSync(other, 'notes of somebody');
    symlinkSync(other, file);
    expect(() => updateRoundFile(file, sums(1))).toThrow('is damaged');
  });
});
