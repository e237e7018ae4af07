import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Coalition, type Game, sampledShapley } from '../../../src/explain/shapley.ts';

/** A game of one score, whose value is a function of the players that are known. */
function gameOf(
  players: number,
  of: (known: readonly number[], draw: number) => number,
  draws = 1,
): Game & { asked: number } {
  const game = {
    ...{ players, draws, asked: 0 },
    value: async (coalitions: readonly Coalition[]) => {
      game.asked += coalitions.length;
      return coalitions.map(({ known, draw }) =>
        Float64Array.of(
          of(
            Array.from(known.keys()).filter((player) => known[player] === 1),
            draw,
          ),
        ),
      );
    },
  };
  return game;
}

/** By the definition, over all orders. */
function defined(players: number, of: (known: readonly number[]) => number): number[] {
  const sums = new Array<number>(players).fill(0);
  const orders = permutations(Array.from({ length: players }, (_, player) => player));
  for (const order of orders)
    for (const [place, player] of order.entries())
      sums[player] =
        (sums[player] as number) + (of(order.slice(0, place + 1)) - of(order.slice(0, place))) / orders.length;
  return sums;
}

const permutations = (items: readonly number[]): number[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));

it('adds up to the value of all players, whatever the game is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 8, maxLength: 8 }),
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 1, max: 3 }),
      async (weights, players, draws) => {
        const of = (known: readonly number[], draw: number): number =>
          known.reduce((sum, player) => sum + (weights[player] ?? 0) * (1 + known.length), (weights[0] ?? 0) * draw);
        const { start, added } = await sampledShapley(gameOf(players, of, draws), 64);
        const total = (added[0] ?? new Float64Array(0)).reduce((sum, value) => sum + value, start[0] as number);
        expect(total).toBeCloseTo(of([...weights.keys()].slice(0, players), 0), 9);
      },
    ),
    { numRuns: 100 },
  );
});

it('is exact if players act alone or in pairs', async () => {
  const of = (known: readonly number[]): number => {
    const has = (player: number): number => Number(known.includes(player));
    return 3 * has(0) - 2 * has(1) + 5 * has(2) * has(3) - has(1) * has(4);
  };
  const { added } = await sampledShapley(gameOf(5, of), 10);
  for (const [player, value] of defined(5, of).entries()) expect(added[0]?.[player]).toBeCloseTo(value, 12);
});

it('is close to the definition otherwise, and the same each time', async () => {
  const of = (known: readonly number[]): number =>
    Math.tanh(known.reduce((sum, player) => sum + (player - 2) / 2, 0)) + known.length ** 1.5 / 4;
  const first = await sampledShapley(gameOf(6, of), 96);
  for (const [player, value] of defined(6, of).entries())
    expect(Math.abs((first.added[0]?.[player] ?? 0) - value)).toBeLessThan(0.1);
  expect(await sampledShapley(gameOf(6, of), 96)).toEqual(first);
});

it('starts at the mean of what is not known', async () => {
  const { start, added } = await sampledShapley(
    gameOf(2, (known, draw) => (known.length === 2 ? 10 : draw), 4),
    1000,
  );
  expect(start[0]).toBeCloseTo(1.5, 12);
  expect(added[0]?.[0]).toBeCloseTo(4.25, 12);
});

it('asks for as many coalitions as it may, and for a pair of orders at least', async () => {
  const few = gameOf(20, (known) => known.length, 32);
  await sampledShapley(few, 400);
  expect(few.asked).toBeLessThanOrEqual(400);
  expect(few.asked).toBeGreaterThan(350);
  const many = gameOf(300, (known) => known.length, 32);
  await sampledShapley(many, 400);
  expect(many.asked).toBe(2 * 299 + 2);
});
