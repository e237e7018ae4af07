import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { HistoryAnswer } from '../../http/charts/history.ts';
import type { StudyAnswer } from '../../http/routes/studies.ts';
import { getJson } from '../api/client.ts';
import { asFailed, type RequestFailed } from '../api/request-failed.ts';
import { isRefusal, type StreamState, useEvents } from './streams.ts';
import { emptyHistory, firstOpen, mergeHistory, type TrialColumns } from './trial-history.ts';

export interface StudyData {
  study: StudyAnswer | undefined;
  history: TrialColumns | undefined;
  /** Grows when trials have changed. */
  turn: number;
  stream: StreamState;
  error: RequestFailed | undefined;
  /** Asks at once for what failed. */
  again(): void;
}

/** The trials that may have changed are asked for again at most so often. */
const REFRESH_MS = 1_500;
/** After a failure it is asked again, after twice the time each time. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 15_000;

export const isOpen = ({ state }: StudyAnswer): boolean => state === 'queued' || state === 'running';

/** A study and its trials, kept current by events: each only brings the trials that have not ended, and new ones. */
export function useStudyData(id: string): StudyData {
  const [study, setStudy] = useState<StudyAnswer>();
  const [history, setHistory] = useState<TrialColumns>();
  const [turn, setTurn] = useState(0);
  const [failure, setFailure] = useState<RequestFailed>();
  const known = useRef<TrialColumns>(emptyHistory);
  const asking = useRef<Asking>({ isBusy: false, isWanted: false, dueMs: 0, failures: 0, wake: () => undefined });
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
      asking.current.wake();
    },
    [],
  );
  const refresh = useCallback(async (): Promise<void> => {
    const state = asking.current;
    state.isWanted = true;
    if (state.isBusy) return;
    state.isBusy = true;
    while (state.isWanted && !isGone.current) {
      await pause(state);
      if (isGone.current) return;
      state.isWanted = false;
      state.dueMs = performance.now() + REFRESH_MS;
      try {
        const from = firstOpen(known.current);
        const answer = await getJson<HistoryAnswer>(`/v1/studies/${id}/history?from=${from}`);
        const isFirst = known.current === emptyHistory;
        if (isFirst || answer.trial.length > 0) {
          known.current = mergeHistory(known.current, answer, from);
          setHistory(known.current);
        }
        if (answer.trial.length > 0) setTurn((last) => last + 1);
        state.failures = 0;
        setFailure(undefined);
      } catch (thrown) {
        const failed = asFailed(thrown);
        setFailure(failed);
        if (isRefusal(failed)) continue;
        state.dueMs = performance.now() + Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** state.failures++);
        state.isWanted = true;
      }
    }
    state.isBusy = false;
  }, [id]);
  useEffect(() => {
    void refresh();
  }, [refresh]);
  const { state: stream, error } = useEvents(`/v1/studies/${id}/events`, (data) => {
    const next = data as StudyAnswer;
    setStudy(next);
    void refresh();
    return { isLast: !isOpen(next) };
  });
  const again = useCallback(() => {
    Object.assign(asking.current, { failures: 0, dueMs: 0 });
    asking.current.wake();
    void refresh();
  }, [refresh]);
  return { study, history, turn, stream, error: error ?? failure, again };
}

interface Asking {
  isBusy: boolean;
  isWanted: boolean;
  /** The next request is not sent before. */
  dueMs: number;
  failures: number;
  /** Ends the wait for it. */
  wake(): void;
}

function pause(asking: Asking): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, Math.max(0, asking.dueMs - performance.now()));
    asking.wake = () => {
      window.clearTimeout(timer);
      resolve();
    };
  });
}

/** A number that follows `turn` at most every `everyMs`: what costs more is asked for less often. */
export function useSlowTurn(turn: number, everyMs: number): number {
  const [slow, setSlow] = useState(turn);
  const lastMs = useRef(0);
  useEffect(() => {
    if (turn === slow) return;
    const waitMs = Math.max(0, lastMs.current + everyMs - performance.now());
    const timer = window.setTimeout(() => {
      lastMs.current = performance.now();
      setSlow(turn);
    }, waitMs);
    return () => window.clearTimeout(timer);
  }, [turn, slow, everyMs]);
  return slow;
}
