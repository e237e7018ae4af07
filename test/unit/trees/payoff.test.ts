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

describe('a round together that is not finished', () => {
  const isSpent = (payoff: Payoff, ms: number, ownMs = 10): boolean => payoff.isSpent(together(ms, ownMs));

  it('is dropped when it has taken four rounds longer than one alone, and others rest', () => {
    const payoff = afterAlone(100, 100);
    expect(isSpent(payoff, 490)).toBe(false);
    expect(isSpent(payoff, 510)).toBe(true);
    payoff.addDropped(together(510, 10));
    expect(rest(payoff)).toBe(50);
  });

  it('may take what earlier ones have left', () => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 2; round++) payoff.addTogether(together(250));
    expect(isSpent(payoff, 190)).toBe(false);
    expect(isSpent(payoff, 210)).toBe(true);
  });

  it('is not dropped because other load makes all slower', () => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 5; round++) payoff.addTogether(together(70));
    expect(isSpent(payoff, 1400, 1200)).toBe(false);
  });
});

describe('a team that has been quicker', () => {
  const proven = (): Payoff => {
    const payoff = afterAlone(100, 100);
    for (let round = 0; round < 50; round++) payoff.addTogether(together(70));
    return payoff;
  };

  it.each(['addTogether', 'addDropped'] as const)('goes on after a single round that stalls: %s', (add) => {
    const payoff = proven();
    payoff[add](together(9000));
    expect(payoff.pays).toBe(true);
    payoff[add](together(9000));
    expect(payoff.pays).toBe(false);
  });

  it('has to be so again after a rest', () => {
    const payoff = proven();
    for (let round = 0; round < 2; round++) payoff.addTogether(together(9000));
    rest(payoff);
    payoff.addTogether(together(9000));
    expect(payoff.pays).toBe(false);
  });

  it('is measured again when others come', () => {
    const payoff = proven();
    // Of three workers each has 40 ms of a round of 100; with a factor of two workers, 85 ms would be a loss.
    for (let round = 0; round < 50; round++) payoff.addTogether({ ms: 85, ownMs: 40, seats: 3 });
    expect(payoff.pays).toBe(true);
  });
});

it('a round alone after one together, which finds scores of the others’ rows, is not what one takes alone', () => {
  const payoff = afterAlone(100, 100);
  payoff.addTogether(together(70));
  payoff.addAlone(5000);
  expect(payoff.isSpent(together(510, 10))).toBe(true);
  payoff.addAlone(300);
  expect(payoff.isSpent(together(510, 10))).toBe(false);
});
