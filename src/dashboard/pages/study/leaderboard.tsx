import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { TrialAnswer } from '../../../http/routes/trials.ts';
import { getJson } from '../../api/client.ts';
import { StateMark } from '../../parts/state-mark.tsx';
import { counted, decimals, duration, knobList, percent } from '../../state/format.ts';

const ROW = 32;
const PAGE = 100;
/** Rows above and below the visible ones that exist, too. */
const SPARE = 8;
/** Pages that are kept: of a study of ten thousand trials, a quarter. */
const MAX_PAGES = 25;
/** Visible pages are asked for again at most so often while trials end. */
const REFRESH_MS = 2_000;
/** Pages that are only scrolled past are not asked for. */
const SETTLE_MS = 50;

export interface LeaderboardProps {
  study: number;
  /** Number of trials. */
  total: number;
  /** Changes when trials have changed. */
  turn: number;
  /** Another order is another leaderboard, with another key. */
  order: 'best' | 'number';
  chosen: number | undefined;
  onPick(trial: number): void;
}

/** All trials, of which the browser has the visible pages: rows are placed by their number, and asked for when they are looked at. */
export function Leaderboard({ study, total, turn, order, chosen, onPick }: LeaderboardProps) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, last: 20 });
  const pages = useRef(new Map<number, { rows: TrialAnswer[]; turn: number; askedMs: number }>());
  const [, setDrawn] = useState(0);
  const base = `/v1/studies/${study}/trials?order=${order}&limit=${PAGE}`;
  const load = useCallback(
    async (page: number): Promise<void> => {
      const known = pages.current.get(page);
      pages.current.set(page, { rows: known?.rows ?? [], turn, askedMs: performance.now() });
      const { trials } = await getJson<{ trials: TrialAnswer[] }>(`${base}&offset=${page * PAGE}`).catch(() => ({
        trials: undefined,
      }));
      if (trials === undefined) pages.current.delete(page);
      else pages.current.set(page, { rows: trials, turn, askedMs: performance.now() });
      const [oldest] = pages.current.keys();
      if (pages.current.size > MAX_PAGES && oldest !== undefined) pages.current.delete(oldest);
      setDrawn((last) => last + 1);
    },
    [base, turn],
  );
  useEffect(() => {
    const [from, to] = [Math.floor(view.first / PAGE), Math.floor(view.last / PAGE)];
    const timers: number[] = [];
    for (let page = from; page <= to && page * PAGE < Math.max(1, total); page++) {
      const known = pages.current.get(page);
      if (known?.turn === turn) continue;
      const waitMs = known === undefined ? SETTLE_MS : known.askedMs + REFRESH_MS - performance.now();
      timers.push(window.setTimeout(() => void load(page), Math.max(0, waitMs)));
    }
    return () => {
      for (const timer of timers) window.clearTimeout(timer);
    };
  }, [view, total, turn, load]);
  const onScroll = (): void => {
    const { scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const last = Math.min(total - 1, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    if (first !== view.first || last !== view.last) setView({ first, last });
  };
  const trialAt = (place: number): TrialAnswer | undefined =>
    pages.current.get(Math.floor(place / PAGE))?.rows[place % PAGE];
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step === undefined || box.current === null) return;
    event.preventDefault();
    let place = -1;
    for (let i = view.first; i <= view.last && chosen !== undefined; i++) if (trialAt(i)?.trial === chosen) place = i;
    const next = place < 0 ? Math.ceil(box.current.scrollTop / ROW) : Math.max(0, Math.min(total - 1, place + step));
    const trial = trialAt(next)?.trial;
    if (trial !== undefined) onPick(trial);
    const top = next * ROW;
    if (top < box.current.scrollTop) box.current.scrollTop = top;
    if (top + 3 * ROW > box.current.scrollTop + box.current.clientHeight)
      box.current.scrollTop = top + 3 * ROW - box.current.clientHeight;
  };
  const places = Array.from(
    { length: Math.max(0, Math.min(view.last, total - 1) - view.first + 1) },
    (_, i) => view.first + i,
  );
  return (
    <div
      class="board"
      ref={box}
      role="grid"
      aria-label="Leaderboard: the arrow keys move the choice"
      aria-rowcount={total + 1}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={move}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        <span role="columnheader" class="num rest">
          {order === 'best' ? 'Rank' : ''}
        </span>
        <span role="columnheader" class="num">
          Trial
        </span>
        <span role="columnheader">Family</span>
        <span role="columnheader">State</span>
        <span role="columnheader" class="num">
          Score
        </span>
        <span role="columnheader" class="num rest">
          Epochs
        </span>
        <span role="columnheader" class="num rest">
          Time
        </span>
        <span role="columnheader" class="num rest">
          From
        </span>
        <span role="columnheader" class="rest">
          Knobs
        </span>
      </div>
      <div class="rows" role="rowgroup" style={{ height: `${total * ROW}px` }}>
        {places.map((place) => (
          <Row
            key={place}
            place={place}
            trial={trialAt(place)}
            isChosen={chosen !== undefined && trialAt(place)?.trial === chosen}
            onPick={onPick}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  place: number;
  trial: TrialAnswer | undefined;
  isChosen: boolean;
  onPick(trial: number): void;
}

function Row({ place, trial, isChosen, onPick }: RowProps) {
  return (
    <div
      class="row"
      role="row"
      aria-rowindex={place + 2}
      aria-selected={isChosen}
      style={{ top: `${place * ROW}px` }}
      onClick={() => trial !== undefined && onPick(trial.trial)}
    >
      <span role="gridcell" class="num muted rest">
        {counted(place + 1)}
      </span>
      {trial === undefined ? (
        <span role="gridcell" class="muted">
          …
        </span>
      ) : (
        <>
          <span role="gridcell" class="num">
            {trial.trial}
          </span>
          <span role="gridcell">{trial.family}</span>
          <span role="gridcell">
            <StateMark state={trial.state} />
          </span>
          <span role="gridcell" class="num">
            {decimals(trial.score)}
          </span>
          <span role="gridcell" class="num rest">
            {trial.epoch ?? '–'}
            {trial.epochs !== null && <span class="muted">/{trial.epochs}</span>}
          </span>
          <span role="gridcell" class="num rest">
            {duration(trial.seconds)}
          </span>
          <span
            role="gridcell"
            class="num rest"
            title={trial.warm_share === null ? '' : `${percent(trial.warm_share)} of its first weights`}
          >
            {trial.refits ?? trial.parent ?? '–'}
          </span>
          <span role="gridcell" class="rest muted" title={trial.error ?? knobList(trial.knobs)}>
            {trial.error ?? knobList(trial.knobs)}
          </span>
        </>
      )}
    </div>
  );
}
