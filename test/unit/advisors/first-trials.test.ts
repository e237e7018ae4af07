import { expect, it } from 'vitest';
import type { SearchSpace, TrialHistory } from '../../../src/advisors/advisor.ts';
import { advisors } from '../../../src/advisors/registry.ts';
import { familyByName } from '../../../src/models/registry.ts';

const search = (encoders: string[], overrides: SearchSpace['overrides'] = {}): SearchSpace => ({
  families: ['encoder', 'linear_text'].map((name) => ({
    name,
    space: familyByName(name).space('sentiment', {
      encoders: encoders.map((each) => ({ name: each, trainable: false })),
    }),
    ...(name === 'encoder' ? { initial: { encoder: 'gone', gamma: 0.5 } } : {}),
  })),
  overrides,
  seed: 1,
});

/** Family and encoder of the first trials. */
function firstOf(advisor: (typeof advisors)[number], given: SearchSpace, count: number): string[] {
  const history: TrialHistory[] = [];
  while (history.length < count) {
    const proposal = advisor.propose(given, history);
    if (proposal === null) break;
    history.push({ number: history.length + 1, ...proposal, scores: [0.5 + history.length / 100], ended: true });
  }
  return history.map(({ family, knobs }) => [family, knobs['encoder'] ?? ''].join(' ').trim());
}

const guided = advisors.filter(({ name }) => name !== 'grid');

it.each(guided.map((advisor) => [advisor.name, advisor] as const))(
  '%s tries each family once, then each further encoder',
  (_, advisor) => {
    expect(firstOf(advisor, search(['new', 'old']), 3)).toEqual(['encoder new', 'linear_text', 'encoder old']);
    expect(firstOf(advisor, search(['new']), 2)).toEqual(['encoder new', 'linear_text']);
  },
);

it.each(guided.map((advisor) => [advisor.name, advisor] as const))(
  '%s tries those that the user names',
  (_, advisor) => {
    expect(firstOf(advisor, search(['new', 'old'], { encoder: 'old' }), 2)).toEqual(['encoder old', 'linear_text']);
    const some = { encoder: { list: ['old', 'new'] } };
    expect(firstOf(advisor, search(['new', 'old', 'older'], some), 3)).toEqual([
      'encoder old',
      'linear_text',
      'encoder new',
    ]);
  },
);

it.each(guided.map((advisor) => [advisor.name, advisor] as const))(
  '%s tries the encoders of two families in turn',
  (_, advisor) => {
    const both = search(['new', 'old', 'older']);
    const given = { ...both, families: [...both.families, { ...both.families[0]!, name: 'other' }] };
    const first = firstOf(advisor, given, 7).map((trial) => trial.split(' ')[0]);
    expect(first).toEqual(['encoder', 'linear_text', 'other', 'encoder', 'other', 'encoder', 'other']);
  },
);
