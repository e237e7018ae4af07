import { describe, expect, it } from 'vitest';
import { FollowedScan, findScan } from '../../../src/serving/session/followed-scan.ts';

const rowsOf = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `row ${from + i}`);
const place = { column: '1;2', low: '(0,1)', high: '(9,9)' };
const followed = (count: number, order: 'up' | 'down' | 'none' = 'up'): FollowedScan =>
  new FollowedScan(place, order, rowsOf(count));
/** Asks for these rows, one after another. */
const ask = (scan: FollowedScan, from: number, to: number): boolean[] =>
  rowsOf(to - from, from).map((row) => scan.follow(row));

describe('finding a scan', () => {
  const sent = (inputs: readonly (string | null)[]) => ({ place: '1;2;(0,1);(9,9)', inputs });
  const find = (inputs: readonly (string | null)[], recent: readonly string[], followsAny = false) =>
    findScan(sent(inputs), { recent, followsAny });

  it('ascends if more of the last requests are before the current row, descends if more are after it', () => {
    const up = find(['a', 'b', null, 'c', 'd'], ['a', 'b', 'd']);
    expect([up?.isOrdered, up?.rows]).toEqual([true, ['c', 'd']]);
    expect(up?.readRequest(0, 0)).toMatch(/^\+;62;1;2;/);
    const down = find(['a', 'b', null, 'c', 'd'], ['a', 'c', 'd']);
    expect([down?.isOrdered, down?.rows]).toEqual([true, ['b', 'a']]);
    expect(down?.readRequest(0, 0)).toMatch(/^-;62;1;2;/);
  });

  it('has no order if as many are before it as after it, and is followed only if rows cost nothing', () => {
    expect(find(['a', null, 'b'], ['a', 'b'])).toBeNull();
    const any = find(['a', null, 'b'], ['a', 'b'], true);
    expect([any?.isOrdered, any?.rows]).toEqual([false, []]);
    expect(any?.readRequest(0, 500)).toBe('+;500;1;2;;(0,0)');
  });

  it('is none if it leaves out more than half of the rows', () => {
    expect(find(['a', 'x', 'b', 'x', null], ['a', 'b'])).not.toBeNull(); // two of four
    expect(find(['a', 'x', 'x', 'b', 'x', null], ['a', 'b'])).toBeNull(); // two of five
    expect(find([null, 'x', 'b', 'x', 'x', 'a'], ['a', 'b'])).toBeNull();
  });
});

describe('following a scan', () => {
  it('searches the next 256 rows after a filter left out some', () => {
    expect(followed(300).expects('row 255')).toBe(true);
    expect(followed(300).expects('row 256')).toBe(false);
    const scan = followed(300);
    expect(scan.follow('row 255')).toBe(true);
    expect(scan.isNext('row 256')).toBe(true);
  });

  it('is lost with the seventeenth request in a row from elsewhere', () => {
    const scan = followed(300);
    const elsewhere = (count: number): boolean[] => Array.from({ length: count }, () => scan.follow('elsewhere'));
    expect(elsewhere(16)).toEqual(new Array(16).fill(true));
    scan.follow('row 0');
    expect(elsewhere(17)).toEqual([...new Array(16).fill(true), false]);
  });

  it('has paid once 65 rows were used', () => {
    const scan = followed(300);
    ask(scan, 0, 64);
    expect(scan.hasPaidOff).toBe(false);
    ask(scan, 64, 65);
    expect(scan.hasPaidOff).toBe(true);
  });

  it('counts a prefetched answer as used once its successor is requested, and not if the scan skips it', () => {
    const takes = (scan: FollowedScan, count: number): void => {
      for (let i = 0; i < count; i++) scan.takeNext(() => 'label');
    };
    const used = followed(300);
    takes(used, 64);
    used.follow('row 64');
    expect(used.hasPaidOff).toBe(true);
    const skipped = followed(300);
    takes(skipped, 64);
    skipped.follow('row 66');
    expect(skipped.hasPaidOff).toBe(false);
    const counted = followed(300);
    takes(counted, 65);
    counted.countPrefetched();
    expect(counted.hasPaidOff).toBe(true);
    counted.countPrefetched(); // once
    expect(counted.readRequest(0, 0)).toBeNull(); // 64 + 2 · 65 rows allowed, 300 sent
  });

  it('prefetches twice as many and one more while they are used, half as many otherwise', () => {
    const scan = followed(1000);
    const sizes = [scan.maxPrefetched];
    for (const row of ['row 0', 'row 1', 'row 2', 'row 3', 'row 9', 'row 10']) {
      scan.follow(row);
      sizes.push(scan.maxPrefetched);
    }
    expect(sizes).toEqual([16, 33, 67, 128, 128, 64, 128]);
  });

  it('continues at the row that the backend requests again', () => {
    const scan = followed(100);
    for (let i = 0; i < 10; i++) scan.takeNext(() => 'label');
    expect(scan.expects('row 3')).toBe(true);
    expect(scan.follow('row 3')).toBe(true);
    expect(scan.maxPrefetched).toBe(8);
    expect(scan.isNext('row 4')).toBe(true);
  });

  it('prefetches only known answers of rows that were read', () => {
    const scan = followed(1);
    expect(scan.takeNext(() => undefined)).toBeNull();
    expect(scan.isUsedUp).toBe(false);
    expect(scan.takeNext((input) => `label of ${input}`)).toEqual({ input: 'row 0', label: 'label of row 0' });
    expect(scan.takeNext(() => 'label')).toBeNull();
    expect(scan.isUsedUp).toBe(true);
  });
});

describe('what is read next', () => {
  it('is as many rows as may be computed for nothing, and two for each that was used', () => {
    const scan = followed(20);
    expect(scan.readRequest(0, 0)).toBe('+;44;1;2;(0,1);(9,9)');
    ask(scan, 0, 3);
    expect(scan.readRequest(0, 0)).toBe('+;50;1;2;(0,1);(9,9)');
  });

  it('is at least 32 rows, or half of the sent ones', () => {
    expect(followed(32).readRequest(0, 0)).toMatch(/^\+;32;/);
    expect(followed(33).readRequest(0, 0)).toBeNull();
    const scan = followed(100);
    ask(scan, 0, 42);
    expect(scan.readRequest(0, 0)).toBeNull(); // 48 rows
    ask(scan, 42, 43);
    expect(scan.readRequest(0, 0)).toMatch(/^\+;50;/);
  });

  it('is at most 1024 rows', () => {
    const scan = followed(1000);
    ask(scan, 0, 1000);
    expect(scan.readRequest(0, 0)).toMatch(/^\+;1024;/);
  });

  it('waits while 512 rows wait, for their answers or for their requests', () => {
    const scan = followed(1000);
    ask(scan, 0, 999);
    expect(scan.readRequest(511, 0)).not.toBeNull();
    expect(scan.readRequest(512, 0)).toBeNull();
    const ahead = followed(2000);
    ask(ahead, 0, 1488);
    expect(ahead.readRequest(0, 0)).toBeNull();
    ask(ahead, 1488, 1489);
    expect(ahead.readRequest(0, 0)).not.toBeNull();
  });

  it('waits while 16 MiB wait for their requests', () => {
    const scan = (chars: number): FollowedScan => new FollowedScan(place, 'up', ['x'.repeat(chars - 1), 'y']);
    expect(scan(16 * 2 ** 20).readRequest(0, 0)).toBeNull();
    expect(scan(16 * 2 ** 20 - 1).readRequest(0, 0)).not.toBeNull();
  });

  it("ends at the table's end, once all rows were requested", () => {
    const end = (order: 'up' | 'down'): FollowedScan =>
      new FollowedScan(
        { column: '1;2', low: order === 'down' ? '' : '(0,1)', high: order === 'up' ? '' : '(9,9)' },
        order,
        rowsOf(1),
      );
    for (const order of ['up', 'down'] as const) {
      const scan = end(order);
      expect(scan.readRequest(0, 0)).toBeNull();
      expect(scan.isOver).toBe(false);
      scan.follow('row 0');
      expect(scan.isOver).toBe(true);
      const other = new FollowedScan(place, order, []);
      expect(other.isOver).toBe(false);
    }
  });

  it('without an order is bounded by the calls that were made', () => {
    const scan = followed(0, 'none');
    expect(scan.readRequest(0, 31)).toBeNull();
    expect(scan.readRequest(0, 32)).toMatch(/^\+;32;/);
    expect(scan.receive({ place: '1;2;;(5,5)', inputs: rowsOf(32) })).toEqual(rowsOf(32));
    expect(scan.readRequest(0, 64)).toBe('+;32;1;2;;(5,5)');
    expect(scan.rows).toEqual([]);
  });

  it('is received in the order of the scan', () => {
    const down = followed(1, 'down');
    down.follow('row 0');
    expect(down.receive({ place: '1;2;(0,0);(5,5)', inputs: ['a', null, 'b'] })).toEqual(['b', 'a']);
    expect(down.rows).toEqual(['b', 'a']);
    expect(down.readRequest(0, 0)).toBe('-;63;1;2;(0,0);(5,5)');
    const up = followed(2);
    up.follow('row 0');
    expect(up.receive({ place: '1;2;(0,0);(5,5)', inputs: ['a', 'b'] })).toEqual(['a', 'b']);
    expect(up.rows).toEqual(['row 1', 'a', 'b']);
  });
});
