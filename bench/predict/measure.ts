import type { Database } from '../../src/db/database.ts';
import type { Figure } from '../figure.ts';

/** Changes each row of bench_text by a word, so that no answer is cached. */
export async function freshTable(session: Database, word: string, rows: number): Promise<void> {
  await session.query('drop table if exists bench_scan');
  await session.query(
    `create table bench_scan as select id, body || ' ' || $1 as body, md5(body) || ' ' || $1 as title from bench_text order by id limit $2`,
    [word, rows],
  );
  await session.query('alter table bench_scan add primary key (id)');
  await session.query('analyze bench_scan');
}

export async function timed(session: Database, sql: string): Promise<number> {
  const startedMs = performance.now();
  await session.query(sql);
  return performance.now() - startedMs;
}

interface Comparison {
  value: number;
  unit: string;
  peer: string;
  peerValue: number;
  /** If it is not that of the two values. */
  ratio?: number;
  bar?: number;
  /** Whether the target is the minimum of the ratio, not the maximum. */
  min?: boolean;
  note?: string;
}

export function compare(name: string, comparison: Comparison): Figure {
  const { value, unit, peer, peerValue, bar, min = false, note } = comparison;
  const ratio = comparison.ratio ?? value / peerValue;
  const verdict = bar === undefined ? { ok: null } : { bar, ok: min ? ratio >= bar : ratio <= bar };
  return {
    bench: 'predict',
    name,
    value: round3(value),
    unit,
    peer,
    peerValue: round3(peerValue),
    ratio: round3(ratio),
    ...verdict,
    ...(note === undefined ? {} : { note }),
  };
}

const round3 = (value: number): number => Number(value.toPrecision(3));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Number of rounds, for {@link settled}. */
export const roundsOf = (quick: boolean): number => (quick ? 2 : 12);

/** The median of rounds without the first, in which code is compiled. */
export const settled = (rounds: readonly number[]): number => median(rounds.slice(1));

/** Times of two sides in alternating rounds. The ratio is the median of each round's ratio, so that other load affects both. */
export const byTurns = (
  times: readonly number[],
  peerTimes: readonly number[],
): Pick<Comparison, 'value' | 'peerValue' | 'ratio' | 'unit'> => ({
  value: settled(times),
  peerValue: settled(peerTimes),
  ratio: settled(times.map((ms, round) => ms / (peerTimes[round] as number))),
  unit: 'ms',
});
