import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../../../src/serving/read-ahead.ts';

const miss = { known: false, queued: 0 };
const hit = { known: true, queued: 0 };

const rows = (count: number): string[] => Array.from({ length: count }, (_, i) => `row ${i}`);

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

  it('begins after sixty-four questions even when all answers were known', () => {
    const scan = new ReadAhead();
    for (let i = 0; i < 63; i++) expect(scan.question('s', hit)).toBeNull();
    expect(scan.question('s', hit)).toBe('');
  });

  it('does not begin over many statements, or when it is off', () => {
    const scan = new ReadAhead();
    for (let i = 0; i < 100; i++) {
      expect(scan.question(`s${i}`, miss)).toBeNull();
      expect(scan.question('', miss)).toBeNull();
    }
  });

  it('asks for more where the last rows ended, once few of them wait', () => {
    const scan = begun();
    scan.received(rows(512), 'place 1');
    expect(scan.question('s', { known: true, queued: 400 })).toBeNull();
    expect(scan.question('s', { known: true, queued: 100 })).toBe('place 1');
    expect(scan.question('s', hit)).toBeNull();
    scan.received(rows(512), 'place 2');
    expect(scan.question('s', hit)).toBe('place 2');
  });

  it('reads no more than 1024 rows and eight for each that was asked', () => {
    const scan = begun();
    let sent = 0;
    for (let calls = 9; calls < 500; calls++) {
      const place = calls === 9 ? '' : scan.question('s', hit);
      if (place === null) continue;
      scan.received(rows(512), 'on');
      sent += 512;
      expect(sent).toBeLessThanOrEqual(1024 + 8 * calls + 512);
    }
    expect(sent).toBeGreaterThan(1024);
  });

  it('ends when the database has no more rows, and begins anew with the next statement', () => {
    const scan = begun();
    scan.received(rows(100), '');
    for (let i = 0; i < 50; i++) expect(scan.question('s', miss)).toBeNull();
    for (let i = 0; i < 7; i++) expect(scan.question('t', miss)).toBeNull();
    expect(scan.question('t', miss)).toBe('');
  });

  it('gives up when what it reads is not what is asked', () => {
    const scan = begun();
    scan.received(rows(512), 'on');
    for (let i = 0; i < 1000; i++) if (scan.question('s', miss) !== null) scan.received(rows(512), 'on');
    for (let i = 0; i < 100; i++) expect(scan.question('s', miss)).toBeNull();
  });

  it('lets answers travel along in the order of the scan, each once, as far as they are known', () => {
    const scan = begun();
    scan.received(rows(100), 'on');
    const upTo = (last: number) => (text: string) => (Number(text.slice(4)) <= last ? `label of ${text}` : undefined);
    expect(scan.along('row 0', upTo(3)).map(({ text }) => text)).toEqual(['row 1', 'row 2', 'row 3']);
    expect(scan.along('row 4', upTo(99))).toHaveLength(32);
    // a filter left out rows 37 to 39
    expect(scan.along('row 40', upTo(42))).toEqual([
      { text: 'row 41', label: 'label of row 41' },
      { text: 'row 42', label: 'label of row 42' },
    ]);
    expect(scan.along('a text from elsewhere', upTo(99))).toEqual([]);
  });

  it('sends fewer along, and then none, to a backend that does not use them', () => {
    const scan = begun();
    scan.received(rows(500), 'on');
    const sent: number[] = [];
    for (let i = 0; i < 200; i++) sent.push(scan.along(`row ${i}`, () => 'label').length);
    expect(sent.slice(-100).every((count) => count === 0)).toBe(true);
    expect(sent.reduce((sum, count) => sum + count, 0)).toBeLessThan(100);
  });
});
