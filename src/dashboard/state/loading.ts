import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { getJson, RequestFailed } from '../api/client.ts';
import { events } from '../api/events.ts';

/** What a request has given so far: a value stays while it is asked for again. */
export interface LoadedValue<T> {
  value: T | undefined;
  error: RequestFailed | undefined;
  reload(): void;
}

const asFailed = (error: unknown): RequestFailed =>
  error instanceof RequestFailed ? error : new RequestFailed(0, { code: 'XX000', message: String(error) });

/** Asks when the path changes, and again after `everyMs`. An undefined path asks nothing. */
export function useLoaded<T>(path: string | undefined, everyMs?: number): LoadedValue<T> {
  const [state, setState] = useState<{ path?: string; value?: T; error?: RequestFailed }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const controller = new AbortController();
    let timer: number | undefined;
    const load = async (): Promise<void> => {
      try {
        const value = await getJson<T>(path, controller.signal);
        if (!controller.signal.aborted) setState({ path, value });
      } catch (error) {
        if (controller.signal.aborted) return;
        setState((last) => ({ ...(last.path === path ? last : { path }), error: asFailed(error) }));
      }
      if (everyMs !== undefined && !controller.signal.aborted) timer = window.setTimeout(() => void load(), everyMs);
    };
    void load();
    return () => {
      controller.abort();
      window.clearTimeout(timer);
    };
  }, [path, everyMs, turn]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  const isOfPath = state.path === path;
  return { value: isOfPath ? state.value : undefined, error: isOfPath ? state.error : undefined, reload };
}

/** As {@link useLoaded}, and again when `turn` changes; the value stays meanwhile. */
export function useRefreshed<T>(path: string, turn: number): LoadedValue<T> {
  const loaded = useLoaded<T>(path);
  const { reload } = loaded;
  const first = useRef(turn);
  useEffect(() => {
    if (first.current !== turn) reload();
    first.current = turn;
  }, [turn, reload]);
  return loaded;
}

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 15_000;

export type StreamState = 'connecting' | 'live' | 'lost' | 'ended';

/**
 * Follows a stream of events, and connects again when it ends. A page that is not seen closes its stream: a browser has six
 * connections to a host.
 */
export function useEvents(
  path: string,
  onEvent: (data: unknown) => { isLast: boolean },
): { state: StreamState; error: RequestFailed | undefined } {
  const [state, setState] = useState<StreamState>('connecting');
  const [error, setError] = useState<RequestFailed>();
  const receive = useRef(onEvent);
  receive.current = onEvent;
  useEffect(() => {
    let controller = new AbortController();
    let isOver = false;
    const follow = async (signal: AbortSignal): Promise<void> => {
      for (let waitMs = FIRST_WAIT_MS; !signal.aborted && !isOver; waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs)) {
        try {
          for await (const { event, data } of events(path, signal)) {
            if (event === 'error') break;
            waitMs = FIRST_WAIT_MS / 2;
            setState('live');
            setError(undefined);
            isOver = receive.current(data).isLast;
          }
        } catch (failure) {
          if (signal.aborted) return;
          setError(asFailed(failure));
          if (failure instanceof RequestFailed && [401, 403, 404].includes(failure.status)) return;
        }
        if (isOver || signal.aborted) break;
        setState('lost');
        await new Promise((resolve) => window.setTimeout(resolve, waitMs));
      }
      if (isOver && !signal.aborted) setState('ended');
    };
    const onVisible = (): void => {
      controller.abort();
      if (document.hidden || isOver) return;
      controller = new AbortController();
      void follow(controller.signal);
    };
    document.addEventListener('visibilitychange', onVisible);
    onVisible();
    return () => {
      isOver = true;
      document.removeEventListener('visibilitychange', onVisible);
      controller.abort();
    };
  }, [path]);
  return { state, error };
}
