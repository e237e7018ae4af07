import { describe, expect, it } from 'vitest';
import type { SentChange, SentSums, Transport, WantedChanges } from '../../../../src/domain/joint-training.ts';
import { fitPlain } from '../../../../src/features/columns/plain.ts';
import { ForestLearner } from '../../../../src/models/tabular/forest-learner.ts';
import { silentLogger } from '../../../../src/runtime/logger.ts';
import { type LeadingChannel, ParentTransport } from '../../../../src/training/joint/parent.ts';
import { TransportTeam, type TransportTeamOptions } from '../../../../src/training/joint/team.ts';
import type { FromChild } from '../../../../src/training/messages.ts';
import { LeadingForest, type LeadingGrowth } from '../../../../src/trees/joint/lead.ts';
import { createObjective } from '../../../../src/trees/objective.ts';
import { boostingSettings } from '../../../../src/trees/settings.ts';
import { boosterOf, followRows, MemoryLead, MemoryTransport } from '../../../support/forest-workers.ts';
import { trainForest } from '../../../support/train-forest.ts';
import { dataOf, people } from '../../models/people.ts';
import { mixedTable } from '../../trees/tables.ts';

const settings = boostingSettings({ maxLeaves: 12, seed: 3 });
const rows = mixedTable(900);
const nobody: Transport = { waiting: async () => [], offer: async () => undefined, collect: async () => [] };
const always = {
  pays: true,
  isSpent: () => false,
  ...{ addAlone: () => undefined, addTogether: () => undefined, addDropped: () => undefined },
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** From its `count`th exchange on it has no answers, until they are not wanted any more. */
class Stalling extends MemoryTransport {
  count = Number.POSITIVE_INFINITY;
  /** Called at each look for answers. */
  onLook: () => void = () => undefined;

  override async collect(wanted: WantedChanges, isOver?: () => boolean): Promise<readonly (SentChange | SentSums)[]> {
    if (--this.count > 0) return super.collect(wanted);
    do {
      this.onLook();
      await turn();
    } while (isOver?.() === false);
    return [];
  }
}

/** A team whose clock a test moves, besides what each question moves it. */
class ClockTeam extends TransportTeam {
  ms = 0;
  stepMs = 1;

  constructor(options: Pick<TransportTeamOptions, 'near'>) {
    super({ far: nobody, show: async () => undefined, lastRound: 0, logger: silentLogger, ...options });
  }

  override nowMs(): number {
    this.ms += this.stepMs;
    return this.ms;
  }
}

interface LedUntilStalled extends Partial<Pick<LeadingGrowth, 'payoff' | 'isCheckpointWanted'>> {
  near: MemoryTransport;
  team?: TransportTeam;
}

async function leadWith({ near, team = new ClockTeam({ near }), ...options }: LedUntilStalled) {
  const lead = new MemoryLead(11);
  near.leads.push(lead);
  const following = followRows(rows, settings, lead);
  const booster = boosterOf(rows, settings);
  const all = { rows: rows.targets.values.length, ...createObjective(settings, rows.targets) };
  const leading = new LeadingForest({ booster, team, basis: 'rows', ...options, ...all });
  const end = (): Promise<void> => {
    near.end();
    return following;
  };
  await turn();
  return { leading, booster, end };
}

const treesAlone = async (rounds: number) => (await trainForest(rows, { settings, rounds })).trees;
const at = (step: number) => ({ epoch: 0, epochs: 1, step });

describe('a round of trees that several workers grow', () => {
  it('ends in the middle of a tree where training is to stop, and leaves nothing', async () => {
    const near = new Stalling();
    const { leading, booster, end } = await leadWith({ near, payoff: always });
    await leading.grow(at(0));
    let isStopped = false;
    near.count = 5;
    near.onLook = () => {
      isStopped = true;
    };
    expect(await leading.grow(at(1), () => isStopped)).toBeNull();
    expect(booster.forest.trees).toEqual(await treesAlone(1));
    near.count = Number.POSITIVE_INFINITY;
    await leading.grow(at(1), () => false);
    expect(booster.forest.trees).toEqual(await treesAlone(2));
    await end();
  });

  it('is grown alone if a checkpoint waits for its end', async () => {
    const near = new Stalling();
    let isWanted = false;
    const { leading, booster, end } = await leadWith({ near, payoff: always, isCheckpointWanted: () => isWanted });
    await leading.grow(at(0));
    near.count = 5;
    near.onLook = () => {
      isWanted = true;
    };
    const before = near.offers.length;
    await leading.grow(at(1));
    expect(near.offers.length).toBe(before + 4);
    isWanted = false;
    near.count = Number.POSITIVE_INFINITY;
    await leading.grow(at(2));
    expect(near.offers.length).toBeGreaterThan(before + 10);
    expect(booster.forest.trees).toEqual(await treesAlone(3));
    await end();
  });

  it('is dropped as soon as it has taken as much longer than alone as may be lost, also the first of a try', async () => {
    const near = new Stalling();
    const team = new ClockTeam({ near });
    const { leading, booster, end } = await leadWith({ near, team });
    near.count = 1;
    let looks = 0;
    near.onLook = () => {
      team.ms += 0.5;
      looks++;
    };
    for (let round = 0; round < 30; round++) await leading.grow(at(round));
    expect(looks).toBeLessThan(10);
    expect(near.offers.length).toBe(1);
    expect(booster.forest.trees).toEqual(await treesAlone(30));
    await end();
  });

  it('is not begun again and again where each exchange takes longer than a round alone', async () => {
    const near = new Stalling();
    const team = new ClockTeam({ near });
    const collect = near.collect.bind(near);
    near.collect = (...wanted) => {
      team.ms += 300;
      return collect(...wanted);
    };
    const { leading, booster, end } = await leadWith({ near, team });
    for (let round = 0; round < 30; round++) await leading.grow(at(round));
    expect(near.offers.length).toBeLessThanOrEqual(2);
    expect(booster.forest.trees).toEqual(await treesAlone(30));
    await end();
  });
});

it('a step of a forest is ended by what stops training, while others are waited for', async () => {
  const near = new Stalling();
  const team = new ClockTeam({ near });
  near.leads.push(new MemoryLead(11));
  const following = near.leads[0]!.next(); // it waits, and never answers
  const { classes, train, valid } = dataOf('tabular_classification', people(300));
  const learner = new ForestLearner(
    {
      features: { encoder: 'plain', classes, state: fitPlain(train.inputs, { labels: train.labels, classes }) },
      ...{ train, valid, bins: 63, epochs: 10, threads: 1, balanced: false },
      settings: boostingSettings({ objective: 'log_loss' }),
    },
    { team, basis: 'rows' },
  );
  let isStopped = false;
  near.count = 1;
  near.onLook = () => {
    isStopped = true;
  };
  for (let step = 0; step < 2; step++) expect(await learner.train(at(step), () => isStopped)).not.toBeNull();
  team.stepMs = 0; // nothing takes too long
  expect(await learner.train(at(2), () => isStopped)).toBeNull();
  expect(learner.steps).toBe(2);
  near.end();
  await following;
  await learner.release();
});

describe('workers of other machines', () => {
  const sums = (processId: number): SentSums => ({ processId, sums: Float64Array.of(1), rows: 1, seconds: 1 });

  /** A parent that has one more answer at each question. */
  function parentWith(answers: SentSums[][]) {
    const asked: WantedChanges[] = [];
    const channel = {
      send: async (message: FromChild) => void (message.kind === 'collect' && asked.push(message.wanted)),
      next: async () => ({ kind: 'changes', changes: answers[asked.length] ?? [] }),
      waiting: () => [],
    } as unknown as LeadingChannel;
    return { near: new ParentTransport(channel), asked };
  }

  it('are waited for in parts, so that waiting can end', async () => {
    const { near, asked } = parentWith([[], [sums(5)], [sums(6)]]);
    const arrived = await near.collect({ number: 3, processIds: [5, 6], waitMs: 60_000 }, () => asked.length === 3);
    expect(asked.map(({ processIds }) => processIds)).toEqual([[5, 6], [5, 6], [6]]);
    expect(asked.every(({ waitMs, number }) => waitMs < 1000 && number === 3)).toBe(true);
    expect(arrived.map(({ processId }) => processId)).toEqual([5, 6]);
  });

  it('are asked once where waiting ends only with its time', async () => {
    const { near, asked } = parentWith([[sums(5)]]);
    await near.collect({ number: 3, processIds: [5, 6], waitMs: 60_000 });
    expect(asked).toEqual([{ number: 3, processIds: [5, 6], waitMs: 60_000 }]);
  });
});
