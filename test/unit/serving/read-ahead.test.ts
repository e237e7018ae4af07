import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/runtime/rng.ts';
import { ReadAhead, SECOND_SEARCH_ROWS } from '../../../src/serving/session/read-ahead.ts';

const table = Array.from({ length: 10_000 }, (_, i) => `row ${i}`);

interface Played {
  /** Rows computed for any request. */
  computed: number;
  /** Requests that came to the server. */
  asked: number;
  /** Of those, the ones whose answer was not there. */
  missed: number;
}

/** A statement that predicts these rows of the table, in this order; the database does what the scan readRequests. The first rows lie far apart. */
function play(rows: readonly number[], { batchesPay = true, apart = 0 } = {}): Played {
  const scan = new ReadAhead();
  const known = new Set<string>();
  let prefetched: string[] = [];
  const played = { computed: 0, asked: 0, missed: 0 };
  for (const row of rows) {
    const input = table[row] as string;
    const place = prefetched.indexOf(input);
    prefetched = prefetched.slice(place + 1);
    if (place >= 0) continue;
    played.asked++;
    const isKnown = known.has(input);
    if (!isKnown) played.missed++;
    const readRequest = scan.request('statement', input, { known: isKnown, queued: 0, batchesPay });
    known.add(input);
    if (readRequest !== null) for (const next of scan.received(...windowOf(readRequest, input, apart))) known.add(next);
    prefetched = takePrefetched(scan, known);
  }
  return { ...played, computed: known.size };
}

/** The texts whose answers go along with a reply. */
function takePrefetched(scan: ReadAhead, known: { has(input: string): boolean }): string[] {
  const taken: string[] = [];
  while (scan.isFollowing && taken.length < scan.maxPrefetched) {
    const next = scan.takeNext((input) => (known.has(input) ? 'label' : undefined));
    if (next === null) break;
    taken.push(next.input);
  }
  return taken;
}

/** What the database sends; a place is the number of a row here. */
function windowOf(readRequest: string, asked: string, apart: number): [string, (string | null)[]] {
  const [kind, count, , , low, high] = readRequest.split(';');
  const rows = Number(count);
  const place = (from: number, to: number): string =>
    `1;2;${from <= 0 ? '' : from - 1};${to >= table.length ? '' : to}`;
  if (kind === '?') {
    const at = table.indexOf(asked);
    if (at < 0) return ['', []];
    if (at < apart) return [place(at, at + 1), [null]];
    const from = Math.max(0, at - 64);
    const before = table.slice(from, at);
    return [place(from, at + 65), [...before, null, ...table.slice(at + 1, at + 65)]];
  }
  if (kind === '-') {
    const to = Number(low) + 1;
    return [place(to - rows, table.length), table.slice(Math.max(0, to - rows), to)];
  }
  const from = high === '(0,0)' ? 0 : Number(high);
  return [place(0, from + rows), table.slice(from, from + rows)];
}

const all = table.map((_, i) => i);
const filtered = (keep: (row: number) => boolean): number[] => all.filter(keep);

describe('reading ahead', () => {
  it('begins after eight uncached requests, or sixty-four cached ones', () => {
    const scan = new ReadAhead();
    const readRequest = (known: boolean) => scan.request('s', 'text', { known, queued: 0, batchesPay: true });
    for (let i = 0; i < 7; i++) expect(readRequest(false)).toBeNull();
    expect(readRequest(false)).toMatch(/^\?;/);
    const other = new ReadAhead();
    for (let i = 0; i < 63; i++)
      expect(other.request('s', 'text', { known: true, queued: 0, batchesPay: true })).toBeNull();
    expect(other.request('s', 'text', { known: true, queued: 0, batchesPay: true })).toMatch(/^\?;/);
  });

  it('searches as many rows as requests were made or prefetched', () => {
    const scan = new ReadAhead();
    const ask = () => scan.request('s', 'text', { known: false, queued: 0, batchesPay: true });
    for (let i = 0; i < 7; i++) ask();
    expect(scan.takeNext(() => 'label')).toBeNull();
    expect(ask()).toBe('?;512');
  });

  it('does not begin over many statements', () => {
    const scan = new ReadAhead();
    for (let i = 0; i < 100; i++)
      expect(scan.request(`s${i}`, 'text', { known: false, queued: 0, batchesPay: true })).toBeNull();
  });

  it.each([
    ['in the order of the table', all],
    ['in the reverse order', [...all].reverse()],
    ['from the middle', all.slice(4000)],
  ])('answers nearly all of a scan %s ahead, most of it without a request', (_, rows) => {
    const played = play(rows);
    expect(played.computed).toBeLessThan(rows.length + 100);
    expect(played.missed).toBeLessThan(20);
    expect(played.asked).toBeLessThan(rows.length / 20);
  });

  it.each([
    ['leaves out one row in ten', filtered((row) => row % 10 !== 0), 1.2],
    ['leaves out every other row', filtered((row) => row % 2 === 0), 2.1],
    ['keeps one row in ten', filtered((row) => row % 10 === 0), 1.3],
    [
      'keeps one row in ten by chance',
      filtered(
        (
          (rng) => () =>
            rng.uniform() < 0.1
        )(createRng(1)),
      ),
      1.5,
    ],
    ['keeps one row in two hundred', filtered((row) => row % 200 === 0), 2.1],
    ['ends after twenty rows', all.slice(0, 20), 5],
    ['ends after three hundred rows', all.slice(0, 300), 2.2],
  ])('computes few rows for nothing where a query %s', (_, rows, max) => {
    expect(play(rows).computed / rows.length).toBeLessThan(max);
  });

  it.each([true, false])(
    'finds the direction later where the first rows lie far apart, batches paying: %s',
    (batchesPay) => {
      const played = play(all, { batchesPay, apart: 40 });
      expect(played.missed).toBeLessThan(150);
      expect(played.asked).toBeLessThan(table.length / 20);
    },
  );

  it('continues if a filter leaves out a part of the table', () => {
    const played = play(filtered((row) => row < 2000 || row > 7000));
    expect(played.missed).toBeLessThan(150);
  });

  it('reads no more rows than were requested if they have no order', () => {
    const rows = Array.from(createRng(2).shuffle(Int32Array.from(all)));
    const played = play(rows);
    expect(played.missed).toBeLessThan(0.55 * rows.length);
    expect(play(rows.slice(0, 500)).computed).toBeLessThan(1100);
    expect(play(rows.slice(0, 500), { batchesPay: false }).computed).toBe(500);
  });

  it('ends if no column has the argument, and seldom searches again', () => {
    const scan = new ReadAhead();
    const readRequests: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      const readRequest = scan.request('s', `other ${i}`, { known: false, queued: 0, batchesPay: true });
      if (readRequest === null) continue;
      readRequests.push(readRequest);
      scan.received('', []);
    }
    expect(readRequests).toEqual(['?;512', `?;${SECOND_SEARCH_ROWS}`, '?;32768', '?;262144']);
  });

  it('sends no answers along to a backend that does not use them', () => {
    const scan = new ReadAhead();
    const sent: number[] = [];
    for (const input of table.slice(0, 2000)) {
      const readRequest = scan.request('s', input, { known: true, queued: 0, batchesPay: true });
      if (readRequest !== null) scan.received(...windowOf(readRequest, input, 0));
      sent.push(takePrefetched(scan, { has: () => true }).length);
    }
    expect(Math.max(...sent)).toBeGreaterThan(8);
    expect(sent.slice(-1000).reduce((sum, count) => sum + count, 0)).toBeLessThan(1000);
  });

  it('searches for the scan again once requests are elsewhere, immediately if it was useful', () => {
    const scan = new ReadAhead();
    const ask = (text: string) => scan.request('s', text, { known: false, queued: 0, batchesPay: true });
    for (const text of table.slice(0, 8)) ask(text);
    scan.received('1;2;;', [...table.slice(0, 7), null, ...table.slice(8, 300)]);
    for (const text of table.slice(8, 73)) ask(text); // more than 64 rows are used
    expect(scan.isFollowing).toBe(true);
    for (let i = 0; i < 16; i++) ask(`elsewhere ${i}`);
    expect(scan.isFollowing).toBe(true);
    ask('elsewhere 16');
    expect(scan.isFollowing).toBe(false);
    const looks = Array.from({ length: 8 }, (_, i) => ask(`there ${i}`)).filter((request) => request !== null);
    expect(looks).toHaveLength(1);
  });

  it('is over when seventeen requests in a row came from elsewhere', () => {
    const scan = new ReadAhead();
    for (const text of table.slice(0, 8)) scan.request('s', text, { known: false, queued: 0, batchesPay: true });
    scan.received('1;2;;', [...table.slice(0, 7), null, ...table.slice(8, 300)]);
    for (let i = 0; i < 16; i++) scan.missed();
    expect(scan.isFollowing).toBe(true);
    scan.missed();
    expect(scan.isFollowing).toBe(false);
    expect(scan.maxPrefetched).toBe(16);
  });

  it('continues if many rows have the same text', () => {
    const scan = new ReadAhead();
    for (const input of table.slice(0, 8)) scan.request('s', input, { known: false, queued: 0, batchesPay: true });
    scan.received('1;2;;', [...table.slice(0, 7), null, ...Array.from({ length: 600 }, () => 'same')]);
    const sent: number[] = [];
    for (let i = 0; i < 5; i++) {
      scan.request('s', 'same', { known: true, queued: 0, batchesPay: true });
      sent.push(takePrefetched(scan, { has: () => true }).length);
    }
    expect(sent).toEqual([33, 67, 128, 128, 128]);
  });

  it('keeps no more characters than it may, however few rows they are', () => {
    const scan = new ReadAhead();
    const image = (i: number): string => `${i} `.padEnd(2_000_000, 'x');
    const ask = (i: number) => scan.request('s', image(i), { known: false, queued: 0, batchesPay: true });
    for (let i = 0; i < 7; i++) ask(i);
    expect(ask(7)).toMatch(/^\?;/);
    scan.received('1;2;;(0,9)', [...Array.from({ length: 7 }, (_, i) => image(i)), null, image(8), image(9)]);
    let sent = 10;
    for (let i = 8; i < 40; i++) {
      if (ask(i) === null) continue;
      scan.received(
        '1;2;;(0,9)',
        Array.from({ length: 4 }, (_, next) => image(sent + next)),
      );
      sent += 4;
      expect(sent - i).toBeLessThanOrEqual(13);
    }
    expect(sent).toBeGreaterThan(40);
  });
});
