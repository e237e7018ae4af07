import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eager } from '../../../src/serving/policies/eager.ts';
import { greedy } from '../../../src/serving/policies/greedy.ts';
import { largestFilled, type PolicyState } from '../../../src/serving/policies/policy.ts';
import { policies, policyByName } from '../../../src/serving/policies/registry.ts';

const sizes = [1, 4, 16, 64, 256];

/** A device that takes 2 ms a batch and 0.05 ms a row, τ = 50 ms. */
const state = (changes: Partial<PolicyState>): PolicyState => ({
  queued: 1,
  waitedMs: 0,
  budgetMs: 50,
  running: 0,
  sizes,
  latencyMs: (rows) => 2 + 0.05 * rows,
  ...changes,
});

const anyState = fc.record({
  queued: fc.integer({ min: 1, max: 2000 }),
  waitedMs: fc.double({ min: 0, max: 1000, noNaN: true }),
  budgetMs: fc.double({ min: 0.01, max: 1000, noNaN: true }),
});

describe.each(policies)('the policy $name', (policy) => {
  it('dispatches between one row and the largest batch, or waits a finite time', () => {
    fc.assert(
      fc.property(anyState, (changes) => {
        const decision = policy.decide(state(changes));
        if (decision.kind === 'wait') return decision.ms > 0 && Number.isFinite(decision.ms);
        return decision.rows >= 1 && decision.rows <= 256 && decision.rows <= changes.queued;
      }),
    );
  });

  it('always dispatches a full largest batch', () => {
    expect(policy.decide(state({ queued: 300 }))).toEqual({ kind: 'dispatch', rows: 256 });
  });

  it('waits for nothing once the budget is spent', () => {
    fc.assert(
      fc.property(
        anyState,
        (changes) => policy.decide(state({ ...changes, waitedMs: changes.budgetMs })).kind === 'dispatch',
      ),
    );
  });
});

describe('greedy, the rule of the paper', () => {
  // dispatch the largest filled b when c(b) + w + δ ≥ τ, with δ = 5 ms
  it.each([
    { queued: 1, waitedMs: 0, decision: { kind: 'wait', ms: 50 - 2.05 - 5 } },
    { queued: 1, waitedMs: 42.95, decision: { kind: 'dispatch', rows: 1 } },
    { queued: 5, waitedMs: 42.8, decision: { kind: 'dispatch', rows: 4 } },
    { queued: 100, waitedMs: 39.8, decision: { kind: 'dispatch', rows: 64 } },
    { queued: 255, waitedMs: 0, decision: { kind: 'wait', ms: 50 - 5.2 - 5 } },
    { queued: 256, waitedMs: 0, decision: { kind: 'dispatch', rows: 256 } },
  ])('$queued queued, the oldest for $waitedMs ms', ({ queued, waitedMs, decision }) => {
    const decided = greedy.decide(state({ queued, waitedMs }));
    expect(decided.kind).toBe(decision.kind);
    if (decided.kind === 'wait') expect(decided.ms).toBeCloseTo(decision.ms ?? 0, 9);
    else expect(decided.rows).toBe(decision.rows);
  });
});

describe('eager', () => {
  it('takes all that waits, at once', () => {
    expect([1, 3, 32, 256, 500].map((queued) => eager.decide(state({ queued })))).toEqual(
      [1, 3, 32, 256, 256].map((rows) => ({ kind: 'dispatch', rows })),
    );
  });
});

describe('the registry', () => {
  it('finds a policy by name and lists the names when there is none', () => {
    expect(policyByName('greedy')).toBe(greedy);
    expect(() => policyByName('x')).toThrowError(
      expect.objectContaining({ sqlstate: '22023', hint: expect.stringContaining('eager, greedy') }),
    );
  });

  it('takes the largest size that the queue fills', () => {
    expect([1, 3, 4, 15, 16, 300].map((queued) => largestFilled(sizes, queued))).toEqual([1, 1, 4, 4, 16, 256]);
  });
});
