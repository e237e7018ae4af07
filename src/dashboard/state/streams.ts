import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../api/client.ts';
import { events } from '../api/events.ts';
import { asFailed, failureOfEvent, RequestFailed } from '../api/request-failed.ts';

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 15_000;
/** No repetition changes these. */
export const isRefusal = ({ status }: RequestFailed): boolean => [401, 403, 404].includes(status);

export type StreamState = 'connecting' | 'live' | 'lost' | 'refused' | 'ended';

/**
 * Follows a stream of events, and connects again when it ends, as each does after ten minutes: it counts as lost when that fails. A
 * page that is not seen closes its stream: a browser has six connections to a host.
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
    const open = (signal: AbortSignal) => ask(path, { signal, headers: { accept: 'text/event-stream' } });
    const follow = async (signal: AbortSignal): Promise<void> => {
      let waitMs = FIRST_WAIT_MS;
      while (!signal.aborted && !isOver) {
        let isOpen = false;
        try {
          for await (const { event, data } of events(open, signal)) {
            if (event === 'error') throw failureOfEvent(data);
            isOpen = true;
            waitMs = FIRST_WAIT_MS;
            setState('live');
            setError(undefined);
            isOver = receive.current(data).isLast;
          }
        } catch (thrown) {
          if (signal.aborted) return;
          const failure = asFailed(thrown);
          if (isRefusal(failure)) {
            setError(failure);
            setState('refused');
            return;
          }
          // a connection that was open and is cut: the next one says whether the server is there
          if (!isOpen || thrown instanceof RequestFailed) {
            setError(failure);
            setState('lost');
          }
        }
        if (isOver || signal.aborted) break;
        await new Promise((resolve) => window.setTimeout(resolve, waitMs));
        waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs);
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
