import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { getJson } from '../api/client.ts';
import { asFailed, type RequestFailed } from '../api/request-failed.ts';

/** What a request has given so far: a value stays while it is asked for again. */
export interface LoadedValue<T> {
  value: T | undefined;
  error: RequestFailed | undefined;
  reload(): void;
}

/** Asks when the path changes, and again after `everyMs`, while the page is seen. An undefined path asks nothing. */
export function useLoaded<T>(path: string | undefined, everyMs?: number): LoadedValue<T> {
  const [state, setState] = useState<{ path?: string; value?: T; error?: RequestFailed }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const controller = new AbortController();
    let timer: number | undefined;
    let isDue = false;
    const load = async (): Promise<void> => {
      try {
        const value = await getJson<T>(path, controller.signal);
        if (!controller.signal.aborted) setState({ path, value });
      } catch (error) {
        if (controller.signal.aborted) return;
        setState((last) => ({ ...(last.path === path ? last : { path }), error: asFailed(error) }));
      }
      if (everyMs !== undefined && !controller.signal.aborted) timer = window.setTimeout(loadIfSeen, everyMs);
    };
    const loadIfSeen = (): void => {
      isDue = document.hidden;
      if (!isDue) void load();
    };
    const onVisible = (): void => {
      if (isDue) loadIfSeen();
    };
    document.addEventListener('visibilitychange', onVisible);
    void load();
    return () => {
      document.removeEventListener('visibilitychange', onVisible);
      controller.abort();
      window.clearTimeout(timer);
    };
  }, [path, everyMs, turn]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  const isOfPath = state.path === path;
  return { value: isOfPath ? state.value : undefined, error: isOfPath ? state.error : undefined, reload };
}

/** As {@link useLoaded}, and again when `turn` changes; the value stays meanwhile. */
export function useRefreshed<T>(path: string | undefined, turn: number): LoadedValue<T> {
  const loaded = useLoaded<T>(path);
  const { reload } = loaded;
  const first = useRef(turn);
  useEffect(() => {
    if (first.current !== turn) reload();
    first.current = turn;
  }, [turn, reload]);
  return loaded;
}

/** What a click begins: whether it is under way, and why it failed. */
export interface Attempt {
  isBusy: boolean;
  error: RequestFailed | undefined;
  /** Never throws; whether it succeeded. */
  attempt(work: () => Promise<unknown>): Promise<boolean>;
  forget(): void;
}

export function useAttempt(): Attempt {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<RequestFailed>();
  const attempt = async (work: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
      return true;
    } catch (failure) {
      setError(asFailed(failure));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, error, attempt, forget: () => setError(undefined) };
}
