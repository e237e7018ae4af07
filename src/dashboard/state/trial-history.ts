import type { HistoryAnswer } from '../../http/charts/history.ts';

/** The trials of a study in columns, by number; what starts the same trial again is not in it. */
export interface TrialColumns {
  readonly trial: number[];
  readonly family: string[];
  readonly state: string[];
  readonly score: (number | null)[];
  readonly epoch: (number | null)[];
  readonly epochs: (number | null)[];
  /** Seconds after the study was created. */
  readonly beganS: (number | null)[];
  readonly endedS: (number | null)[];
  readonly parent: (number | null)[];
  readonly refits: (number | null)[];
  readonly worker: (number | null)[];
}

export const emptyHistory: TrialColumns = {
  ...{ trial: [], family: [], state: [], score: [], epoch: [], epochs: [] },
  ...{ beganS: [], endedS: [], parent: [], refits: [], worker: [] },
};

/** The history with the trials of an answer in place of those from its first number on. */
export function mergeHistory(before: TrialColumns, answer: HistoryAnswer, from: number): TrialColumns {
  const cut = before.trial.findIndex((trial) => trial >= from);
  const kept = cut < 0 ? before.trial.length : cut;
  const join = <T>(old: readonly T[], next: readonly T[]): T[] => [...old.slice(0, kept), ...next];
  return {
    trial: join(before.trial, answer.trial),
    family: join(
      before.family,
      answer.family.map((place) => answer.families[place] ?? ''),
    ),
    state: join(
      before.state,
      answer.state.map((place) => answer.states[place] ?? ''),
    ),
    score: join(before.score, answer.score),
    epoch: join(before.epoch, answer.epoch),
    epochs: join(before.epochs, answer.epochs),
    beganS: join(before.beganS, answer.began_s),
    endedS: join(before.endedS, answer.ended_s),
    parent: join(before.parent, answer.parent),
    refits: join(before.refits, answer.refits),
    worker: join(before.worker, answer.worker),
  };
}

/** The number of the first trial that may still change. */
export function firstOpen({ trial, endedS }: TrialColumns): number {
  const place = endedS.indexOf(null);
  return place >= 0 ? (trial[place] ?? 0) : (trial.at(-1) ?? -1) + 1;
}

export const familiesOf = ({ family }: TrialColumns): string[] => [...new Set(family)].sort();

export interface BestSoFar {
  trial: number[];
  score: (number | null)[];
  /** The best score of this trial and those before it; null before the first score. */
  best: (number | null)[];
}

/** Of the trials that have a score of their own. */
export function bestSoFar({ trial, score, refits }: TrialColumns): BestSoFar {
  const found: BestSoFar = { trial: [], score: [], best: [] };
  let best: number | null = null;
  for (let i = 0; i < trial.length; i++) {
    if (refits[i] != null) continue;
    const own = score[i] ?? null;
    if (own !== null && (best === null || own > best)) best = own;
    found.trial.push(trial[i] as number);
    found.score.push(own);
    found.best.push(best);
  }
  return found;
}

/** A trial, those that its weights came from, and those that got weights from one of these: its family tree. */
export function kinOf({ trial, parent, refits }: TrialColumns, chosen: number): Set<number> {
  const place = new Map(trial.map((number, i) => [number, i]));
  const kin = new Set<number>();
  for (let at: number | null = chosen; at !== null && !kin.has(at); ) {
    kin.add(at);
    const i: number = place.get(at) ?? -1;
    at = parent[i] ?? refits[i] ?? null;
  }
  const below = new Set([chosen]);
  for (let i = 0; i < trial.length; i++) {
    const from = parent[i] ?? refits[i] ?? null;
    if (from !== null && below.has(from)) below.add(trial[i] as number);
  }
  return new Set([...kin, ...below]);
}

export interface TimelineBar {
  trial: number;
  place: number;
  lane: number;
  fromS: number;
  toS: number;
}

export interface Timeline {
  /** Numbers of the processes, in the order in which they began. */
  workers: (number | null)[];
  bars: TimelineBar[];
  endS: number;
}

/** A lane for each worker; trials that have not ended reach `nowS`. Trials of before workers were told have lanes without a number. */
export function timelineOf({ trial, beganS, endedS, worker }: TrialColumns, nowS: number): Timeline {
  const lanes = new Map<number, number>();
  const workers: (number | null)[] = [];
  const unknown: { lane: number; untilS: number }[] = [];
  const order = trial.map((_, i) => i).filter((i) => beganS[i] != null);
  order.sort((a, b) => (beganS[a] as number) - (beganS[b] as number));
  const bars = order.map((place): TimelineBar => {
    const fromS = beganS[place] as number;
    const toS = Math.max(fromS, endedS[place] ?? nowS);
    const own = worker[place] ?? null;
    let lane: number;
    if (own === null) {
      let free = unknown.find(({ untilS }) => untilS <= fromS);
      if (free === undefined) {
        free = { lane: workers.push(null) - 1, untilS: 0 };
        unknown.push(free);
      }
      free.untilS = toS;
      lane = free.lane;
    } else {
      lane = lanes.get(own) ?? workers.push(own) - 1;
      lanes.set(own, lane);
    }
    return { trial: trial[place] as number, place, lane, fromS, toS };
  });
  return { workers, bars, endS: bars.reduce((last, { toS }) => Math.max(last, toS), 1) };
}
