import type { Queryable } from '../db/database.ts';
import { type Study, selectValidation } from '../db/statements/studies.ts';
import type { TrialRow } from '../db/statements/trials.ts';
import { selectVariantVotes, selectVotes, type TrialVotes } from '../db/statements/votes.ts';
import { allRows, bestPart, chooseEnsemble, MIN_ROWS } from '../domain/ensembles/choose.ts';
import type { Panel, PanelMember } from '../domain/ensembles/panel.ts';
import { type EnsembleRule, type MemberWeight, unweighted } from '../domain/ensembles/rule.ts';
import type { Ballots, KeptMember, MemberBallots, TaskKind } from '../domain/kinds/kind.ts';
import { kindOf } from '../domain/kinds/registry.ts';
import { baseline, type Metric } from '../domain/metrics.ts';
import { InvalidState } from '../errors/errors.ts';
import { createRng } from '../runtime/rng.ts';
import { belowWhole, bestOfFamilies, ensembleCandidates, subsetScores } from './ensemble.ts';
import { isScored } from './study-view.ts';

/** A trial, or its variant, as a member of a model. */
interface ChosenMember extends TrialVotes, MemberWeight {
  /** The rank of the member that it is a quicker variant of. */
  variantOf: number | null;
}

export interface Chosen {
  rule: EnsembleRule;
  /** Those in full precision first, the best first. */
  members: ChosenMember[];
  /** On validation rows; of a weighted ensemble with weights that were fitted to others. */
  score: number;
  /** Of each subset of members; null if they do not decide together. */
  accuracies: number[] | null;
  classes: string[];
  /** Number of rows that the score was measured on; null if members cannot decide together, as detectors. */
  scoredRows: number | null;
  /** Of the rows on which its members were validated. */
  validationHash: Buffer;
  /** Score of a constant prediction. */
  baselineScore: number;
}

/** What choosing needs to know of the validation rows. */
interface Scoring {
  kind: TaskKind;
  truth: Ballots;
  classes: readonly string[];
  metric: Metric;
}

/** The members of a study's model: the ensemble that its owner asked for, or the one that validation prefers. */
export async function chooseMembers(on: Queryable, study: Study, trials: readonly TrialRow[]): Promise<Chosen> {
  const candidates = ensembleCandidates(trials.filter(isScored));
  const [best] = candidates;
  if (best === undefined) throw new InvalidState(`study ${study.id} has no scored trial for a model`);
  const validation = await selectValidation(on, study.id, best.validationHash);
  const ranked = await selectVotes(
    on,
    candidates.map(({ id }) => id),
  );
  const { classes } = validation;
  const { metric } = study;
  const kind = kindOf(study.task);
  const truth = kind.readBallots(copyOf(validation.labels));
  const scoring: Scoring = { kind, truth, classes, metric };
  const baselineScore = baseline(metric, truth, classes.length);
  const scoredRows = kind.votes() && truth.length > 0 ? truth.length : null;
  const voters = bestOfFamilies(candidates).map(({ id }) => id);
  const chosen =
    (await byValidation(on, study, { ...scoring, ranked })) ??
    (await byVote(on, study, { ...scoring, ranked: ranked.filter(({ id }) => voters.includes(id)) }));
  return { scoredRows, ...chosen, classes, validationHash: best.validationHash, baselineScore };
}

type ChosenByRule = Pick<Chosen, 'rule' | 'members' | 'score' | 'accuracies'> & { scoredRows?: number | null };

/** A weighted ensemble, or the best trial alone; undefined if that is not the choice, or cannot be made. */
async function byValidation(
  on: Queryable,
  study: Study,
  { ranked, ...scoring }: Scoring & { ranked: readonly TrialVotes[] },
): Promise<ChosenByRule | undefined> {
  const { kind, metric } = scoring;
  if (study.ensemble === 'vote') return undefined;
  const panel = panelOf(ranked, scoring);
  const [first] = ranked;
  if (first === undefined || panel === undefined || panel.rows < MIN_ROWS) return undefined;
  const alone = async (trial: TrialVotes, candidate: number): Promise<ChosenByRule> => {
    const temperature = panel.temperature(candidate, allRows(panel));
    const exact = [{ ...trial, ...unweighted(trial.score), temperature, variantOf: null }];
    return { rule: 'best', score: trial.score, ...(await withVariants(on, { rule: 'best', exact }, scoring)) };
  };
  if (study.ensemble === 'best') return alone(first, 0);
  const all: EnsembleRule[] = kind.votes(metric) ? ['weighted', 'vote', 'best'] : ['weighted', 'best'];
  const { rule, members, score } = chooseEnsemble(panel, {
    families: ranked.map(({ family }) => family),
    rules: study.ensemble === null ? all : [study.ensemble],
    uniform: createRng(study.seed).uniform,
  });
  if (rule === 'vote') return undefined;
  const exact = members.flatMap(({ candidate, weight, temperature }): ChosenMember[] => {
    const trial = ranked[candidate];
    return trial === undefined ? [] : [{ ...trial, weight, temperature, variantOf: null }];
  });
  const [only] = members;
  if (only !== undefined && members.length === 1) return alone(ranked[only.candidate] ?? first, only.candidate);
  const scoredRows = kind.votes() ? panel.rows : null;
  return { rule, score, scoredRows, ...(await withVariants(on, { rule, exact }, scoring)) };
}

/** The members and the quicker variants of some, and the score of each subset by the task's metric. */
async function withVariants(
  on: Queryable,
  { rule, exact }: { rule: EnsembleRule; exact: readonly ChosenMember[] },
  scoring: Scoring,
): Promise<Pick<Chosen, 'members' | 'accuracies'>> {
  const { kind, truth, classes } = scoring;
  const byTask = { kind, truth, classes };
  const variants = await variantsOf(on, exact);
  const whole = panelOf([...exact, ...variants], byTask);
  const members = whole === undefined ? [...exact] : [...exact, ...variants];
  const panel = whole ?? panelOf(exact, byTask);
  if (panel === undefined) return { members, accuracies: null };
  const seated = members.map((member, candidate): PanelMember => ({ ...member, candidate }));
  const scores = subsetScores(seated, (asked) =>
    panel.score([{ rows: allRows(panel), ensemble: { rule, members: asked } }]),
  );
  return { members, accuracies: rule === 'weighted' ? belowWhole(scores, exact.length) : scores };
}

/** The paper's vote of the best trials of different families; the best alone where it was asked for, or where there is no vote. */
async function byVote(
  on: Queryable,
  study: Study,
  { ranked, ...scoring }: Scoring & { ranked: readonly TrialVotes[] },
): Promise<ChosenByRule> {
  const { kind, truth, classes, metric } = scoring;
  const panel = panelOf(ranked, scoring);
  const members = ranked.map((trial, candidate): ChosenMember => {
    const temperature =
      panel !== undefined && panel.rows >= MIN_ROWS ? panel.temperature(candidate, allRows(panel)) : 1;
    return { ...trial, ...unweighted(trial.score), temperature, variantOf: null };
  });
  const isAlone = study.ensemble === 'best';
  const rule = isAlone ? 'best' : 'vote';
  if (!kind.votes(metric))
    return { rule, members: members.slice(0, 1), score: members[0]?.score ?? 0, accuracies: null };
  const scoreBy =
    (by?: Metric) =>
    (asked: readonly ChosenMember[]): number =>
      kind.scoreBallots(
        asked.map((member): MemberBallots => ({ ballots: ballotsOf(member, kind), score: member.score })),
        truth,
        { classes: classes.length, metric: by },
      );
  const { members: exact, score } = bestPart(isAlone ? members.slice(0, 1) : members, scoreBy(metric));
  const all = [...exact, ...(await variantsOf(on, exact))];
  return { rule, members: all, score, accuracies: subsetScores(all, scoreBy()) };
}

/** Variants weigh as their originals. */
async function variantsOf(on: Queryable, exact: readonly ChosenMember[]): Promise<ChosenMember[]> {
  const variants = await selectVariantVotes(
    on,
    exact.map(({ id }) => id),
  );
  return variants.flatMap((variant) => {
    const variantOf = exact.findIndex(({ id }) => id === variant.id);
    const original = exact[variantOf];
    if (original === undefined) return [];
    return [{ ...variant, weight: original.weight, temperature: original.temperature, variantOf }];
  });
}

function panelOf(
  candidates: readonly TrialVotes[],
  { kind, truth, classes, metric }: Omit<Scoring, 'metric'> & { metric?: Metric },
): Panel | undefined {
  const kept = candidates.map((trial): KeptMember => {
    const answers = trial.keptAnswers === null ? new Float32Array(0) : new Float32Array(copyOf(trial.keptAnswers));
    return { ballots: ballotsOf(trial, kind), kept: answers };
  });
  return kind.panel(kept, truth, { classes: classes.length, metric });
}

const ballotsOf = ({ predictions }: TrialVotes, kind: TaskKind): Ballots => kind.readBallots(copyOf(predictions));

/** Little endian on all platforms of Node; the copy is aligned. */
const copyOf = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;
