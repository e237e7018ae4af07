import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { HistoryAnswer } from '../../http/charts/history.ts';
import type { StudyAnswer } from '../../http/routes/studies.ts';
import { getJson, RequestFailed } from '../api/client.ts';
import { type StreamState, useEvents } from './loading.ts';
import { emptyHistory, firstOpen, mergeHistory, type TrialColumns } from './trial-history.ts';

export interface StudyData {
  study: StudyAnswer | undefined;
  history: TrialColumns | undefined;
  /** Grows when trials have changed. */
  turn: number;
  stream: StreamState;
  error: RequestFailed | undefined;
}

/** The trials that may have changed are asked for again at most so often. */
const REFRESH_MS = 1_500;

export const isOpen = ({ state }: StudyAnswer): boolean => state === 'queued' || state === 'running';

/** A study and its trials, kept current by events: each only brings the trials that have not ended, and new ones. */
export function useStudyData(id: string): StudyData {
  const [study, setStudy] = useState<StudyAnswer>();
  const [history, setHistory] = useState<TrialColumns>();
  const [turn, setTurn] = useState(0);
  const [failure, setFailure] = useState<RequestFailed>();
  const known = useRef<TrialColumns>(emptyHistory);
  const asking = useRef<{ isBusy: boolean; isWanted: boolean; lastMs: number }>({
    isBusy: false,
    isWanted: false,
    lastMs: 0,
  });
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
    },
    [],
  );
  const refresh = useCallback(async (): Promise<void> => {
    const state = asking.current;
    state.isWanted = true;
    if (state.isBusy) return;
    state.isBusy = true;
    while (state.isWanted && !isGone.current) {
      const waitMs = state.lastMs === 0 ? 0 : state.lastMs + REFRESH_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => window.setTimeout(resolve, waitMs));
      state.isWanted = false;
      state.lastMs = performance.now();
      try {
        const from = firstOpen(known.current);
        const answer = await getJson<HistoryAnswer>(`/v1/studies/${id}/history?from=${from}`);
        known.current = mergeHistory(known.current, answer, from);
        setHistory(known.current);
        if (answer.trial.length > 0) setTurn((last) => last + 1);
        setFailure(undefined);
      } catch (error) {
        setFailure(error instanceof RequestFailed ? error : undefined);
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
  return { study, history, turn, stream, error: error ?? failure };
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
