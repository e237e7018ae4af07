import { describe, expect, it } from 'vitest';
import { Payoff } from '../../../src/trees/joint/payoff.ts';

const afterAlone = (...times: number[]): Payoff => {
  const payoff = new Payoff();
  for (const ms of times) payoff.addAlone(ms);
  return payoff;
};
/** Rounds alone until others are asked again. */
function rest(payoff: Payoff): number {
  let rounds = 0;
  for (; !payoff.pays; rounds++) payoff.addAlone(100);
  return rounds;
}

/** With one other worker, of which each has a little more than half of the work. */
const together = (ms: number, ownMs = 60) => ({ ms, ownMs, seats: 2 });

describe('growing together', () => {
  it('is tried once it is known how long a round takes alone', () => {
    expect(new Payoff().pays).toBe(false);
    expect(afterAlone(300).pays).toBe(false);
    expect(afterAlone(300, 100).pays).toBe(true);
  });

  it('goes on while it is quicker, whatever a single round takes', () => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 100; round++) {
      payoff.addTogether(together(round % 10 === 0 ? 280 : 70));
      expect(payoff.pays).toBe(true);
    }
  });

  it('goes on while other load makes all slower', () => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 100; round++) {
      payoff.addTogether(round < 5 ? together(70) : together(350, 300));
      expect(payoff.pays).toBe(true);
    }
  });

  it('is given up when it has cost four rounds, and tried again after a rest, each twice as long', () => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 4; round++) payoff.addTogether(together(195));
    expect(payoff.pays).toBe(true);
    payoff.addTogether(together(195));
    expect(rest(payoff)).toBe(50);
    payoff.addTogether(together(9000));
    expect(rest(payoff)).toBe(100);
  });

  it('is given up soon for a table so small that a share of it takes as long as the whole', () => {
    const payoff = afterAlone(1, 1);
    payoff.addTogether(together(30, 1));
    expect(payoff.pays).toBe(false);
  });
});
