import { expect, it } from 'vitest';
import { longestFirst } from '../../../src/serving/session/longest-first.ts';

it('returns the indexes of texts, longest first, stable for equal lengths, without nulls', () => {
  expect([...longestFirst(['b', null, 'aaa', '', 'c', 'dd'])]).toEqual([2, 5, 0, 4, 3]);
});

it('orders as a stable sort by length does', () => {
  const inputs = Array.from({ length: 3000 }, (_, i) => (i % 11 === 0 ? null : 'x'.repeat((i * 7919) % 97)));
  const places = inputs.flatMap((input, place) => (input === null ? [] : [place]));
  const sorted = places.sort((a, b) => (inputs[b]?.length ?? 0) - (inputs[a]?.length ?? 0));
  expect([...longestFirst(inputs)]).toEqual(sorted);
});
