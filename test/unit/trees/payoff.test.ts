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

describe('growing together', () => {
  it('is tried once it is known how long a round takes alone', () => {
    expect(new Payoff().pays).toBe(false);
    expect(afterAlone(300).pays).toBe(false);
    expect(afterAlone(300, 100).pays).toBe(true);
  });

  it('goes on while it is quicker, whatever a single round takes', () => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 100; round++) {
      payoff.addTogether(round % 10 === 0 ? 280 : 60);
      expect(payoff.pays).toBe(true);
    }
  });

  it('is given up when it has cost two rounds, and tried again after a rest, each twice as long', () => {
    const payoff = afterAlone(100, 100);
    payoff.addTogether(180);
    payoff.addTogether(180);
    expect(payoff.pays).toBe(true);
    payoff.addTogether(180);
    expect(rest(payoff)).toBe(50);
    payoff.addTogether(9000);
    expect(rest(payoff)).toBe(100);
  });
});
