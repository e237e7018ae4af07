import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { TrialAnswer } from '../../../http/routes/trials.ts';
import { getJson } from '../../api/client.ts';
import { asFailed, type RequestFailed } from '../../api/request-failed.ts';

const PAGE = 100;
/** Pages that are kept: of a study of ten thousand trials, a quarter. */
const MAX_PAGES = 25;
/** Visible pages are asked for again at most so often while trials end. */
const REFRESH_MS = 2_000;
const RETRY_MS = 5_000;
/** Pages that are only scrolled past are not asked for. */
const SETTLE_MS = 50;

interface TrialPage {
  rows: TrialAnswer[];
  /** Undefined: it is to be asked for at once. */
  turn: number | undefined;
  askedMs: number;
  error?: RequestFailed | undefined;
}

export interface TrialPages {
  /** Undefined while its page is not there. */
  trialAt(place: number): TrialAnswer | undefined;
  /** Why a visible page is not there, or not current. */
  error: RequestFailed | undefined;
  /** Asks for what failed at once; it is asked for again anyway. */
  again(): void;
}

/** The pages of a list of `total` trials that have the places from `first` to `last`, asked for again when `turn` changes. */
export function useTrialPages(
  path: string,
  { first, last, total, turn }: { first: number; last: number; total: number; turn: number },
): TrialPages {
  const pages = useRef(new Map<number, TrialPage>());
  const [drawn, setDrawn] = useState(0);
  const [from, to] = [Math.floor(first / PAGE), Math.floor(last / PAGE)];
  const load = useCallback(
    async (page: number): Promise<void> => {
      const known = pages.current.get(page);
      const asked = { rows: known?.rows ?? [], turn, askedMs: performance.now() };
      pages.current.set(page, asked);
      try {
        const { trials } = await getJson<{ trials: TrialAnswer[] }>(`${path}&limit=${PAGE}&offset=${page * PAGE}`);
        pages.current.set(page, { ...asked, rows: trials });
      } catch (error) {
        pages.current.set(page, { ...asked, error: asFailed(error) });
      }
      const [oldest] = pages.current.keys();
      if (pages.current.size > MAX_PAGES && oldest !== undefined) pages.current.delete(oldest);
      setDrawn((count) => count + 1);
    },
    [path, turn],
  );
  useEffect(() => {
    const timers: number[] = [];
    for (let page = from; page <= to && page * PAGE < Math.max(1, total); page++) {
      const known = pages.current.get(page);
      if (known?.turn === turn && known.error === undefined) continue;
      const everyMs = known?.error === undefined ? REFRESH_MS : RETRY_MS;
      const waitMs = known?.turn === undefined ? SETTLE_MS : known.askedMs + everyMs - performance.now();
      timers.push(window.setTimeout(() => void load(page), Math.max(0, waitMs)));
    }
    return () => {
      for (const timer of timers) window.clearTimeout(timer);
    };
  }, [from, to, total, turn, load, drawn]);
  const shown = Array.from({ length: to - from + 1 }, (_, i) => pages.current.get(from + i));
  return {
    trialAt: (place) => pages.current.get(Math.floor(place / PAGE))?.rows[place % PAGE],
    error: shown.find((page) => page?.error !== undefined)?.error,
    again() {
      for (const page of shown) if (page?.error !== undefined) page.turn = undefined;
      setDrawn((count) => count + 1);
    },
  };
}
