import { ensembleCandidates } from '../../src/coordinator/ensemble.ts';
import { allRows, chooseEnsemble, fitEnsemble, MIN_ROWS } from '../../src/domain/ensembles/choose.ts';
import type { Panel, PanelEnsemble } from '../../src/domain/ensembles/panel.ts';
import type { EnsembleRule } from '../../src/domain/ensembles/rule.ts';
import { kindOf } from '../../src/domain/kinds/registry.ts';
import { createRng } from '../../src/runtime/rng.ts';
import type { TrainedMember, TrainedMembers } from './members.ts';

/** How an ensemble is made; `default`: the rule that cross-validation prefers. */
export const comparedRules = ['best', 'vote', 'weighted', 'default'] as const;
export type ComparedRule = (typeof comparedRules)[number];

export interface TestedRule {
  rule: ComparedRule;
  /** On rows that nothing was trained on or chosen by. */
  score: number;
  /** Its members, each with its weight. */
  members: string;
}

/** The ensembles that a study would choose among the trials, each scored on the test rows as answers are. */
export function testedRules(trained: TrainedMembers, seed: number): TestedRule[] {
  const ranked = ensembleCandidates(
    trained.members.map((member, id) => ({ ...member, id, validationHash: Buffer.alloc(0) })),
  );
  const kind = kindOf(trained.task);
  const given = ranked.map(({ predictions, kept }) => ({ ballots: predictions, kept }));
  const panel = kind.panel(given, trained.truth, { classes: trained.classes.length });
  if (panel === undefined || panel.rows < MIN_ROWS) throw new RangeError('too few rows to fit weights to');
  return comparedRules.map((rule) => {
    const ensemble = ensembleOf(rule, panel, { ranked, seed, votes: kind.votes() });
    const members = ensemble.members.map((member) => {
      const { score, classes, test } = ranked[member.candidate] as TrainedMember;
      return { ...member, score, classes, answers: test };
    });
    const score = kind.scoreEnsemble(members, trained.testLabels, { classes: trained.classes, rule: ensemble.rule });
    const names = ensemble.members.map(({ candidate, weight }) => `${ranked[candidate]?.family}:${weight.toFixed(2)}`);
    return { rule, score, members: `${ensemble.rule} ${names.join('+')}` };
  });
}

function ensembleOf(
  rule: ComparedRule,
  panel: Panel,
  { ranked, seed, votes }: { ranked: readonly TrainedMember[]; seed: number; votes: boolean },
): PanelEnsemble {
  const { uniform } = createRng(seed);
  const families = ranked.map(({ family }) => family);
  const rules: EnsembleRule[] = votes ? ['weighted', 'vote', 'best'] : ['weighted', 'best'];
  if (rule === 'default') return chooseEnsemble(panel, { families, rules, uniform });
  return fitEnsemble(panel, rule, { families, uniform, rows: allRows(panel) });
}
