import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../../../src/serving/read-ahead.ts';

const miss = { known: false, queued: 0 };
const hit = { known: true, queued: 0 };

/** Asks until the scan is to begin. */
function begun(statement = 's'): ReadAhead {
  const scan = new ReadAhead();
  for (let i = 0; i < 7; i++) expect(scan.question(statement, miss)).toBeNull();
  expect(scan.question(statement, miss)).toBe('');
  return scan;
}

describe('ReadAhead', () => {
  it('begins after eight misses of one statement, and asks once', () => {
    expect(begun().question('s', miss)).toBeNull();
  });

  it('does not begin over many statements, on hits, or when it is off', () => {
    const scan = new ReadAhead();
    for (let i = 0; i < 50; i++) {
      expect(scan.question(`s${i}`, miss)).toBeNull();
      expect(scan.question('same', hit)).toBeNull();
      expect(scan.question('', miss)).toBeNull();
    }
  });

  it('asks for more where the last rows ended, once few of them wait', () => {
    const scan = begun();
    scan.received(512, 'place 1');
    expect(scan.question('s', { known: true, queued: 400 })).toBeNull();
    expect(scan.question('s', { known: true, queued: 100 })).toBe('place 1');
    expect(scan.question('s', hit)).toBeNull();
    scan.received(512, 'place 2');
    expect(scan.question('s', hit)).toBe('place 2');
  });

  it('reads no more than 1024 rows and eight for each that was asked', () => {
    const scan = begun();
    let sent = 0;
    for (let calls = 9; calls < 500; calls++) {
      const place = calls === 9 ? '' : scan.question('s', hit);
      if (place === null) continue;
      scan.received(512, 'on');
      sent += 512;
      expect(sent).toBeLessThanOrEqual(1024 + 8 * calls + 512);
    }
    expect(sent).toBeGreaterThan(1024);
  });

  it('ends when the database has no more rows, and begins anew with the next statement', () => {
    const scan = begun();
    scan.received(100, '');
    for (let i = 0; i < 50; i++) expect(scan.question('s', miss)).toBeNull();
    for (let i = 0; i < 7; i++) expect(scan.question('t', miss)).toBeNull();
    expect(scan.question('t', miss)).toBe('');
  });

  it('gives up when what it reads is not what is asked', () => {
    const scan = begun();
    scan.received(512, 'on');
    for (let i = 0; i < 1000; i++) if (scan.question('s', miss) !== null) scan.received(512, 'on');
    for (let i = 0; i < 100; i++) expect(scan.question('s', miss)).toBeNull();
  });
});
