import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { random } from '../../../src/advisors/random.ts';
import { planStudy } from '../../../src/coordinator/plan.ts';
import type { Study } from '../../../src/db/statements/studies.ts';
import type { NewTrial, TrialRow } from '../../../src/db/statements/trials.ts';
import { familiesFor, familyByName } from '../../../src/models/registry.ts';
import { timeOf } from '../../../src/training/trial-time.ts';
import { newStudy, newTrial } from './study-rows.ts';

const families = familiesFor('image_classification');
const search = {
  families: families.map(({ name, space }) => ({ name, space: space('image_classification') })),
  overrides: {},
  seed: 1,
};

/** Quick on all data, so that its trials are not measured. */
const quick = { name: 'encoder', space: familyByName('encoder').space('image_classification') };
const QUICK_SECONDS = 20;

/** A study that is trained by a simulated machine, each trial for the time that it has. */
class SimulatedStudy {
  readonly #search: typeof search;
  readonly trials: TrialRow[] = [];
  seconds = 0;
  readonly #study: Study;
  readonly #workers: number;
  readonly #fullSeconds: number;
  readonly #ends = new Map<number, number>();
  readonly #idOf = (trial: NewTrial): number => 100 + trial.number;

  constructor(
    { workers, fullSeconds, ...study }: { workers: number; fullSeconds: number } & Partial<Study>,
    searched = search,
  ) {
    this.#search = searched;
    this.#study = newStudy({ task: 'image_classification', maxTrials: 16, maxTimeMs: 600_000, ...study });
    this.#workers = workers;
    this.#fullSeconds = fullSeconds;
  }

  /** The names of the actions that end the study. */
  run(scoreOf: (trial: TrialRow) => number): string[] {
    for (let turn = 0; turn < 1000; turn++) {
      const actions = planStudy(
        {
          study: { ...this.#study, elapsedMs: this.seconds * 1000 },
          trials: this.trials,
          search: this.#search,
          isSlow: true,
          idleWorkers: this.#workers - this.trials.filter(({ state }) => state === 'running').length,
        },
        random,
      );
      for (const action of actions) {
        if (action.kind === 'propose') this.trials.push(this.#waiting(action.trial));
        else if (action.kind !== 'stop-trial') return actions.map(({ kind }) => kind);
      }
      this.#claim();
      if (actions.length === 0) this.#endNext(scoreOf);
    }
    throw new Error('it does not end');
  }

  #waiting(trial: NewTrial): TrialRow {
    const { number, family, knobs, rung } = trial;
    const parent = this.trials.find(({ id }) => id === rung?.continues)?.number ?? null;
    return newTrial('waiting', {
      ...{ id: this.#idOf(trial), number, family, knobs, parent },
      ...{ rung: rung?.number ?? null, rungSize: rung?.size ?? null, plannedSeconds: rung?.plannedSeconds ?? null },
    });
  }

  #claim(): void {
    let running = this.trials.filter(({ state }) => state === 'running').length;
    for (const trial of this.trials.filter(({ state }) => state === 'waiting')) {
      if (running === this.#workers) return;
      running++;
      const studySeconds = (this.#study.maxTimeMs ?? 0) / 1000 - this.seconds;
      const fullSeconds = trial.family === quick.name ? 0 : this.#fullSeconds;
      const time = timeOf(
        {
          ...{ studySeconds, workers: this.#workers, shareSeconds: studySeconds / 4 },
          ...{ rung: trial.rung, plannedSeconds: trial.plannedSeconds },
          leavesRefit: this.#study.refit,
          limits: { families: families.length, maxTrials: this.#study.maxTrials },
        },
        fullSeconds,
      );
      const { rung, plannedSeconds } = time;
      const rungSize = trial.rungSize ?? time.rungSize;
      Object.assign(trial, { state: 'running', fullSeconds, rung, rungSize, plannedSeconds });
      const wantedSeconds = fullSeconds === 0 ? QUICK_SECONDS : time.maxEpochs * fullSeconds;
      this.#ends.set(trial.id, this.seconds + Math.min(time.shareSeconds, wantedSeconds));
    }
  }

  #endNext(scoreOf: (trial: TrialRow) => number): void {
    const [next] = this.trials
      .filter(({ state }) => state === 'running')
      .sort((a, b) => (this.#ends.get(a.id) ?? 0) - (this.#ends.get(b.id) ?? 0));
    if (next === undefined) throw new Error('nothing runs');
    this.seconds = this.#ends.get(next.id) ?? 0;
    const scored = { score: scoreOf(next), hasParams: true, validationHash: Buffer.of(1), epoch: 1 };
    Object.assign(next, { state: 'completed', ...scored });
  }
}

const shown = ({ trials }: SimulatedStudy): string[] =>
  trials.map(({ number, family, rung, parent }) => `${number} ${family} rung ${rung} from ${parent}`);

const idle = (trials: TrialRow[], idleWorkers: number, changes: Partial<Study> = {}) =>
  planStudy(
    {
      study: newStudy({
        task: 'image_classification',
        maxTrials: 16,
        maxTimeMs: 600_000,
        elapsedMs: 200_000,
        ...changes,
      }),
      ...{ trials, search, isSlow: true, idleWorkers },
    },
    random,
  );
const inRung = (id: number, changes: Partial<TrialRow> = {}): TrialRow =>
  newTrial('completed', {
    ...{ id, number: id, family: 'resnet', rung: 1, rungSize: 2, plannedSeconds: 200, fullSeconds: 500, score: 0.5 },
    ...{ hasParams: true, validationHash: Buffer.of(1), epoch: 9, ...changes },
  });

describe('a study whose trials take long', () => {
  test('has one trial if there is time for less than four', () => {
    const study = new SimulatedStudy({ workers: 2, fullSeconds: 310 });
    expect(study.run(() => 0.8)).toEqual(['conclude']);
    expect(shown(study)).toEqual(['1 resnet rung 1 from null']);
    expect(study.seconds).toBeGreaterThan(570);
  });

  test('tries families for a quarter of its time, and continues the best for the rest', () => {
    const study = new SimulatedStudy({ workers: 2, fullSeconds: 250 });
    expect(study.run(({ family }) => (family === 'vgg' ? 0.8 : 0.7))).toEqual(['conclude']);
    expect(shown(study)).toEqual([
      ...['1 resnet', '2 vgg', '3 xception', '4 squeezenet'].map((trial) => `${trial} rung 1 from null`),
      ...['5 vgg rung 2 from 2', '6 resnet rung 2 from 1', '7 vgg rung 3 from 5'],
    ]);
    expect(study.trials.map(({ plannedSeconds }) => plannedSeconds)).toEqual([75, 75, 75, 75, 150, 150, null]);
  });

  test('has more candidates if there is time for more', () => {
    const study = new SimulatedStudy({ workers: 2, fullSeconds: 200 });
    study.run(({ number }) => number / 100);
    expect(study.trials.map(({ rung }) => rung)).toEqual([1, 1, 1, 1, 1, 2, 2, 3]);
    expect(study.trials.slice(5).map(({ parent }) => parent)).toEqual([5, 4, 7]);
  });

  test('trains each trial to its end if there is time for many', () => {
    const study = new SimulatedStudy({ workers: 2, fullSeconds: 20 });
    study.run(() => 0.8);
    expect(study.trials.every(({ rung }) => rung === null)).toBe(true);
    expect(study.trials.length).toBeGreaterThan(8);
  });

  test.each([1, 2])('with %d workers plans with the first trial that is not quick on all data', (workers) => {
    const withQuick = { ...search, families: [quick, ...search.families] };
    const alone = new SimulatedStudy({ workers, fullSeconds: 310 * workers }, withQuick);
    expect(alone.run(() => 0.8)).toEqual(['conclude']);
    expect(shown(alone)).toEqual(['1 encoder rung null from null', '2 resnet rung 1 from null']);
    expect(alone.seconds).toBeGreaterThan(560);
    const many = new SimulatedStudy({ workers, fullSeconds: 10 }, withQuick);
    many.run(() => 0.8);
    expect(many.trials.every(({ rung }) => rung === null)).toBe(true);
    expect(many.trials.length).toBeGreaterThan(8);
    const only = new SimulatedStudy({ workers, fullSeconds: 10, maxTrials: 5 }, { ...search, families: [quick] });
    expect(only.run(() => 0.8)).toEqual(['conclude']);
    expect(only.trials).toHaveLength(5);
  });

  test('has no place for a family that is quick on all data, whenever it is tried', () => {
    const [resnet, vgg, ...others] = search.families;
    const late = { ...search, families: [resnet!, vgg!, quick, ...others] };
    const study = new SimulatedStudy({ workers: 2, fullSeconds: 250 }, late);
    expect(study.run(({ family }) => (family === 'encoder' ? 0.9 : 0.7))).toEqual(['conclude']);
    const ofQuick = study.trials.filter(({ family }) => family === 'encoder');
    expect(ofQuick.map(({ rung }) => rung)).toEqual([null]);
    expect(study.trials.filter(({ family }) => family !== 'encoder').map(({ rung }) => rung)).toEqual([
      ...[1, 1, 1, 1, 2, 2, 3],
    ]);
  });

  test('continues no trial that has failed to continue three times', () => {
    const diverged = { sqlstate: '22003', message: 'the loss is not a number' };
    const failures = (count: number): TrialRow[] =>
      Array.from({ length: count }, (_, i) =>
        newTrial('failed', { id: 9 + i, number: 3 + i, rung: 2, error: diverged }),
      );
    expect(idle([inRung(1), inRung(2), ...failures(2)], 2)).toMatchObject([
      { kind: 'propose', trial: { rung: { number: 2 } } },
    ]);
    expect(idle([inRung(1), inRung(2), ...failures(3)], 2)).toMatchObject([{ kind: 'conclude' }]);
  });

  test('measures another trial while one waits for a worker that has its family', () => {
    const view = { study: newStudy({ task: 'image_classification', maxTimeMs: 600_000 }), search, isSlow: true };
    const trials = [newTrial('waiting', { family: 'resnet', rung: 1 })];
    const actions = (someWorkers?: ReadonlyMap<string, number>) =>
      planStudy({ ...view, trials, idleWorkers: 3, ...(someWorkers && { someWorkers }) }, random);
    expect(actions()).toEqual([]);
    expect(actions(new Map([['resnet', 1]]))).toMatchObject([{ kind: 'propose', trial: { rung: { number: 1 } } }]);
  });

  test('replaces a candidate that failed', () => {
    const actions = planStudy(
      {
        study: newStudy({ task: 'image_classification', maxTimeMs: 600_000 }),
        trials: [newTrial('failed', { rung: 1, rungSize: 1, fullSeconds: 400 })],
        ...{ search, isSlow: true, idleWorkers: 2 },
      },
      random,
    );
    expect(actions).toMatchObject([{ kind: 'propose', trial: { number: 2, rung: { number: 1 } } }]);
  });

  test('uses the time that its owner adds', () => {
    const done = { fullSeconds: 400, score: 0.8, hasParams: true, validationHash: Buffer.of(1), epoch: 9 };
    const trials = [newTrial('completed', { ...done, rung: 1, rungSize: 1 })];
    const study = newStudy({ task: 'image_classification', maxTimeMs: 600_000, elapsedMs: 590_000 });
    const at = (maxTimeMs: number) =>
      planStudy({ study: { ...study, maxTimeMs }, trials, search, isSlow: true, idleWorkers: 2 }, random);
    expect(at(600_000)).toEqual([{ kind: 'conclude' }]);
    expect(at(1_200_000)).toMatchObject([{ kind: 'propose', trial: { rung: { number: 2, plannedSeconds: null } } }]);
  });

  test('keeps to its first plan, whatever workers come and go', () => {
    expect(idle([inRung(1)], 0)).toMatchObject([{ kind: 'propose', trial: { rung: { number: 1, size: 2 } } }]);
    expect(idle([inRung(1), inRung(2)], 0)).toMatchObject([{ kind: 'propose', trial: { rung: { number: 2 } } }]);
    expect(idle([inRung(1), inRung(2)], 9)).toMatchObject([{ kind: 'propose', trial: { rung: { number: 2 } } }]);
  });

  test('goes on with what it has if a candidate failed and no place is left, or nothing is left to propose', () => {
    const failed = newTrial('failed', { id: 2, number: 2, rung: 1, rungSize: 2 });
    const next = [{ kind: 'propose', trial: { rung: { number: 2, plannedSeconds: null, continues: 1 } } }];
    expect(idle([inRung(1), failed], 1, { maxTrials: 3 })).toMatchObject(next);
    expect(idle([inRung(1), failed], 1, { maxTrials: 4 })).toMatchObject([{ trial: { rung: { number: 1 } } }]);
    const nothing = { ...random, propose: () => null };
    const view = { study: newStudy({ maxTrials: 16, maxTimeMs: 600_000 }), search, isSlow: true, idleWorkers: 1 };
    expect(planStudy({ ...view, trials: [inRung(1)] }, nothing)).toMatchObject(next);
  });

  test('ends in time, with at most max_trials, the best of each rung continued', () => {
    const cases = fc.record({
      workers: fc.integer({ min: 1, max: 8 }),
      fullSeconds: fc.double({ min: 40, max: 3000, noNaN: true }),
      maxTrials: fc.integer({ min: 1, max: 16 }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ seed, ...settings }) => {
        const study = new SimulatedStudy(settings);
        const scores = fc.sample(fc.double({ min: 0.1, max: 0.9, noNaN: true }), { seed, numRuns: 40 });
        expect(study.run(({ number }) => scores[number] ?? 0)).toEqual(['conclude']);
        const rungs = study.trials.filter(({ rung }) => rung !== null);
        if (rungs.length > 0) expect(study.seconds).toBeGreaterThan(Math.min(550, settings.fullSeconds));
        expect(study.trials.length).toBeLessThanOrEqual(settings.maxTrials);
        expect(study.seconds).toBeLessThanOrEqual(600 + 1e-6);
        for (const trial of study.trials.filter(({ rung }) => (rung ?? 0) > 1)) {
          const before = study.trials.filter(({ rung }) => rung === (trial.rung ?? 0) - 1);
          const better = before.filter(({ number }) => (scores[number] ?? 0) > (scores[trial.parent ?? 0] ?? 0));
          const siblings = study.trials.filter(({ rung }) => rung === trial.rung);
          expect(better.length).toBeLessThan(siblings.length);
        }
      }),
    );
  });
});
