import { createRng } from '../runtime/rng.ts';
import type { ScoreParts } from './member.ts';

/** Who is known, and from which draw the others are. */
export interface Coalition {
  /** 1 for each player that is known. */
  known: Uint8Array;
  draw: number;
}

export interface Game {
  players: number;
  /** Different ways in which players may be unknown. */
  draws: number;
  /** Scores of each coalition, [coalitions][scores]. */
  value(coalitions: readonly Coalition[]): Promise<readonly Float64Array[]>;
}

/** The order of equal games is the same, so that an explanation is. */
const SEED = 20_260;

/** Coalitions whose scores are computed together. */
const BATCH = 256;

/**
 * Shapley values by sampling: what each player adds to the scores of those before it in an order, on average over pairs of an order
 * and its reverse ("antithetic": Mitchell et al. 2022, "Sampling Permutations for Shapley Value Estimation", section 3). The sum is exact:
 * the scores of all players less the mean of those without any. At most `evaluations` coalitions, but one pair at least.
 */
export async function sampledShapley(game: Game, evaluations: number): Promise<ScoreParts> {
  const { players, draws } = game;
  const pairs = Math.max(1, Math.min(draws * MAX_PAIRS_A_DRAW, Math.floor(evaluations / Math.max(1, 2 * players))));
  const orders = ordersOf(players, pairs);
  const all = { known: new Uint8Array(players).fill(1), draw: 0 };
  const none = Array.from({ length: Math.min(draws, pairs) }, (_, draw) => ({ known: new Uint8Array(players), draw }));
  const between = orders.flatMap((order, i) => growing(order, drawOf(i, none.length)));
  const [full, ...scores] = (await scoresIn(game, [all, ...none, ...between])) as [Float64Array, ...Float64Array[]];
  if (players === 0) return { start: full, added: Array.from(full, () => new Float64Array(0)) };
  const added = Array.from(full, () => new Float64Array(players));
  const start = new Float64Array(full.length);
  for (const [i, order] of orders.entries()) {
    let before = scores[drawOf(i, none.length)] as Float64Array;
    for (const [s, value] of before.entries()) start[s] = (start[s] as number) + value / orders.length;
    for (const [place, player] of order.entries()) {
      const isLast = place + 1 === players;
      const after = isLast ? full : (scores[none.length + i * (players - 1) + place] as Float64Array);
      for (const [s, own] of added.entries())
        own[player] = (own[player] as number) + ((after[s] as number) - (before[s] as number)) / orders.length;
      before = after;
    }
  }
  return { start, added };
}

/** Both orders of a pair have the same draw. */
const drawOf = (order: number, draws: number): number => (order >> 1) % draws;

/** With one way of being unknown, further orders tell little after so many pairs. */
const MAX_PAIRS_A_DRAW = 8;

/** Pairs of a random order and its reverse. */
function ordersOf(players: number, pairs: number): Int32Array[] {
  const rng = createRng(SEED);
  return Array.from({ length: pairs }, () => {
    const order = rng.shuffle(Int32Array.from({ length: players }, (_, player) => player));
    return [order, order.toReversed()];
  }).flat();
}

/** The coalitions between none and all of an order. */
function growing(order: Int32Array, draw: number): Coalition[] {
  const known = new Uint8Array(order.length);
  return Array.from(order.subarray(0, -1), (player) => {
    known[player] = 1;
    return { known: known.slice(), draw };
  });
}

async function scoresIn({ value }: Game, coalitions: readonly Coalition[]): Promise<Float64Array[]> {
  const scores: Float64Array[] = [];
  for (let from = 0; from < coalitions.length; from += BATCH)
    scores.push(...(await value(coalitions.slice(from, from + BATCH))));
  return scores;
}
