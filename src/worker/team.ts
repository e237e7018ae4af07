import type { Database } from '../db/database.ts';
import type { ClaimedTrial } from '../db/statements/claims.ts';
import { insertRound, type ReadyWorker, selectChanges, selectReady } from '../db/statements/joint-training.ts';
import type { Round, RoundPace, RoundWeights, WeightChange } from '../domain/joint-training.ts';
import { LeaseLost } from '../errors/errors.ts';
import type { ParamStore } from '../params/param-store.ts';
import { systemClock } from '../runtime/clock.ts';
import { Wake } from '../runtime/wake.ts';
import { MIN_ROUND_CHECK_MS, ROUND_POLL_MS } from './polling.ts';
import { loadChange, saveWeights } from './round-params.ts';

/** The other workers may take this share of the own training time longer, and at least so long. */
const MAX_EXTRA_SHARE = 0.5;
const MIN_EXTRA_MS = 2_000;

/** The other workers of a trial, for the worker that owns it. */
export class TrialTeam {
  readonly #trial: ClaimedTrial;
  readonly #database: Database;
  readonly #params: ParamStore;
  readonly #wake = new Wake(MIN_ROUND_CHECK_MS);
  #ready: ReadyWorker[] = [];
  #last = 0;
  #begunMs = 0;

  constructor(trial: ClaimedTrial, { database, params }: { database: Database; params: ParamStore }) {
    this.#trial = trial;
    this.#database = database;
    this.#params = params;
  }

  /** Rows of the trial's rounds have changed. */
  notify(): void {
    this.#wake.notify();
  }

  /** The workers that wait for a round; those that have not the weights of the last one need all. */
  async check(): Promise<{ ready: number; needAll: boolean }> {
    this.#ready = await selectReady(this.#database, this.#trial);
    const needAll = this.#ready.some(({ round }) => round === null || round !== this.#last);
    return { ready: this.#ready.length, needAll };
  }

  /** Starts a round for the workers of the last check. */
  async begin(round: Round, weights: RoundWeights, last: RoundPace | null): Promise<void> {
    const paramsId = await saveWeights(this.#params, weights);
    // One that became ready after the round was planned may need all weights.
    const able = this.#ready.filter(({ round: has }) => weights.kind === 'all' || has === this.#last);
    const processIds = able.slice(0, round.seats - 1).map(({ processId }) => processId);
    if (!(await insertRound(this.#database, this.#trial, { plan: round, processIds, paramsId, last })))
      throw new LeaseLost(`trial ${this.#trial.trialId} is no longer this worker's`);
    this.#last = round.number;
    this.#begunMs = systemClock.nowMs();
  }

  /** Called when the own share is trained: the changes of the others that arrive in time. */
  async collect(round: Round, signal: AbortSignal): Promise<WeightChange[]> {
    const nowMs = systemClock.nowMs();
    const untilMs = nowMs + Math.max(MIN_EXTRA_MS, MAX_EXTRA_SHARE * (nowMs - this.#begunMs));
    for (;;) {
      const stored = await selectChanges(this.#database, this.#trial, round.number);
      const leftMs = untilMs - systemClock.nowMs();
      if (stored.length >= round.seats - 1 || leftMs <= 0 || signal.aborted) {
        return Promise.all(
          stored.map(async ({ paramsId, ...trained }) => ({
            ...trained,
            ...(await loadChange(this.#params, paramsId)),
          })),
        );
      }
      await this.#wake.wait(Math.min(ROUND_POLL_MS, leftMs), signal);
    }
  }
}
