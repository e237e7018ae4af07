import { type Advisor, bestScore, type SearchSpace, type TrialHistory } from '../../src/advisors/advisor.ts';
import { isRandomStart } from '../../src/advisors/random-start.ts';
import type { Published } from '../../src/db/statements/warm-starts.ts';
import type { KnobOverride } from '../../src/domain/hyper-space.ts';
import type { DataSet, Task } from '../../src/domain/task.ts';
import type { TrainingHooks } from '../../src/domain/training.ts';
import type { PublishedWeights } from '../../src/domain/warm-start.ts';
import { familyByName } from '../../src/models/registry.ts';
import { matchTensors } from '../../src/params/matching.ts';
import { rankWarmStarts } from '../../src/params/warm-start-ranking.ts';
import { deriveSeed } from '../../src/runtime/rng.ts';
import { trainTrial } from '../../src/training/train.ts';

/** A study as it is compared: one worker, one family, and a total of epochs that the study distributes. */
export interface StudySetting {
  task: Task;
  family: string;
  /** What is not tuned: the network and its inputs, so that every trial could start from every other. */
  knobs: Record<string, KnobOverride>;
  data: DataSet;
  epochs: number;
  threads: number;
  collaborative: boolean;
  advisor: Advisor;
  seed: number;
}

export interface StudiedTrial {
  number: number;
  /** Epochs that the study has spent when it ended. */
  spent: number;
  score: number;
  warm: boolean;
}

/** The defaults of a study's settings. */
const GREED = { first: 1, last: 0.1 };
const DELTA = 0.005;

interface Known {
  published: Published[];
  weights: Map<number, PublishedWeights>;
}

/** Trial by trial, as coordinator and worker do it, with the same rules; nothing is stored. */
export async function runStudy(setting: StudySetting): Promise<StudiedTrial[]> {
  const { family, task, knobs, seed, epochs, advisor } = setting;
  const search: SearchSpace = {
    families: [{ name: family, space: familyByName(family).space(task) }],
    overrides: knobs,
    seed,
  };
  const known: Known = { published: [], weights: new Map() };
  const history: TrialHistory[] = [];
  const trials: StudiedTrial[] = [];
  for (let spent = 0, number = 1; spent < epochs; number++) {
    const trialSeed = deriveSeed(seed, number) >>> 1;
    const allowed = mayInherit(setting, { known, spent, seed: trialSeed }) ? 'open' : 'random';
    const proposal = advisor.propose(search, history, allowed);
    if (proposal === null) break;
    const { knobs: chosen, initialWeights = allowed } = proposal;
    const trial = { number, family, knobs: chosen, scores: [], ended: false };
    const starts = initialWeights === 'open' ? rankWarmStarts(known.published, family) : [];
    const ended = await train(setting, { trial, seed: trialSeed, starts, history, known, spent });
    history.push(ended);
    spent += ended.scores.length;
    trials.push({ number, spent, score: Math.max(0, bestScore(ended)), warm: ended.parent !== undefined });
  }
  return trials;
}

/** Whether the trial of that seed may start from what others have published. */
const mayInherit = (
  { collaborative, epochs }: StudySetting,
  { known, spent, seed }: { known: Known; spent: number; seed: number },
): boolean => collaborative && known.published.length > 0 && !isRandomStart(GREED, { progress: spent / epochs, seed });

interface StudyTurn {
  trial: TrialHistory;
  seed: number;
  starts: readonly Published[];
  history: readonly TrialHistory[];
  known: Known;
  spent: number;
}

async function train(
  setting: StudySetting,
  { trial, seed, starts, history, known, spent }: StudyTurn,
): Promise<TrialHistory> {
  const { task, family, data, threads, advisor, collaborative, epochs } = setting;
  const scores: number[] = [];
  const parent = starts[0]?.trialId;
  const hooks: TrainingHooks = {
    async warmStart(wanted) {
      const offered = starts.flatMap(({ paramsId }) =>
        Object.entries(known.weights.get(paramsId)?.roles ?? {}).map(([name, role]) => ({
          name,
          role,
          shape: known.weights.get(paramsId)?.tensors[name]?.shape ?? [],
          paramsId,
          hash: Buffer.from(name),
        })),
      );
      return Object.fromEntries(
        matchTensors(wanted, offered).flatMap(({ name, hash, paramsId }) => {
          const tensor = known.weights.get(paramsId)?.tensors[hash.toString()];
          return tensor === undefined ? [] : [[name, tensor]];
        }),
      );
    },
    async onReport({ score, epoch, epochs: planned }, weights) {
      scores.push(score);
      const now: TrialHistory = { ...trial, scores, parent };
      const stop = advisor.decide(now, [...history, now]) === 'stop' || spent + epoch >= epochs;
      const best = Math.max(Number.NEGATIVE_INFINITY, ...known.published.map((each) => each.score));
      const last = stop || epoch >= planned;
      if (collaborative && weights && score > best + (last ? 0 : DELTA))
        publish(known, { trial, score, weights: weights() });
      return stop ? 'stop' : 'continue';
    },
    onCheckpoint: async () => undefined,
  };
  try {
    await trainTrial({ task, family, knobs: trial.knobs, seed, threads, data }, hooks);
  } catch {
    // a trial that diverged: its scores so far are what is known of it, and an epoch at least was spent
    if (scores.length === 0) scores.push(0);
  }
  return { ...trial, scores, parent, ended: true };
}

function publish(
  known: Known,
  { trial, score, weights }: { trial: TrialHistory; score: number; weights: PublishedWeights },
): void {
  const { number, family } = trial;
  known.published = known.published.filter(({ trialId }) => trialId !== number);
  known.published.push({ trialId: number, family, score, paramsId: number });
  known.weights.set(number, weights);
}
