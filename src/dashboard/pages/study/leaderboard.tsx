import { useId, useRef, useState } from 'preact/hooks';
import type { TrialAnswer } from '../../../http/routes/trials.ts';
import { counted, decimals, duration, knobList, percent } from '../../format.ts';
import { Failure } from '../../parts/messages.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { TrialDetails } from './trial-details.tsx';
import { useTrialPages } from './trial-pages.ts';

const ROW = 32;
/** Rows that are seen at once, with the head: fewer trials make it lower. */
const MAX_SEEN = 13;
/** Rows above and below the visible ones that exist, too. */
const SPARE = 8;

export interface LeaderboardProps {
  study: number;
  /** Number of trials. */
  total: number;
  /** Changes when trials have changed. */
  turn: number;
  /** Another order is another leaderboard, with another key. */
  order: 'best' | 'number';
  chosen: number | undefined;
  /** By a click: that of the chosen trial ends the choice. */
  onPick(trial: number): void;
  /** By the arrow keys, which never end it. */
  onMove(trial: number): void;
}

/** All trials, of which the browser has the visible pages: rows are placed by their number, and asked for when they are looked at. */
export function Leaderboard({ study, total, turn, order, chosen, onPick, onMove }: LeaderboardProps) {
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const [view, setView] = useState({ first: 0, last: 20 });
  const { trialAt, error, again } = useTrialPages(`/v1/studies/${study}/trials?order=${order}`, {
    ...view,
    total,
    turn,
  });
  const onScroll = (): void => {
    const { scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const last = Math.min(total - 1, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    if (first !== view.first || last !== view.last) setView({ first, last });
  };
  const places = Array.from(
    { length: Math.max(0, Math.min(view.last, total - 1) - view.first + 1) },
    (_, i) => view.first + i,
  );
  const at = chosen === undefined ? undefined : places.find((place) => trialAt(place)?.trial === chosen);
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step === undefined || box.current === null) return;
    event.preventDefault();
    const next =
      at === undefined ? Math.ceil(box.current.scrollTop / ROW) : Math.max(0, Math.min(total - 1, at + step));
    const trial = trialAt(next)?.trial;
    if (trial !== undefined) onMove(trial);
    const top = next * ROW;
    if (top < box.current.scrollTop) box.current.scrollTop = top;
    if (top + 3 * ROW > box.current.scrollTop + box.current.clientHeight)
      box.current.scrollTop = top + 3 * ROW - box.current.clientHeight;
  };
  return (
    <>
      <div
        class="board"
        ref={box}
        role="grid"
        aria-label="Leaderboard: the arrow keys move the choice"
        aria-rowcount={total + 1}
        {...(at === undefined ? {} : { 'aria-activedescendant': `${id}-${at}` })}
        tabIndex={0}
        style={{ height: `${ROW * Math.min(MAX_SEEN, total + 1) + 1}px` }}
        onScroll={onScroll}
        onKeyDown={move}
      >
        <Head order={order} />
        <div class="rows" role="rowgroup" style={{ height: `${total * ROW}px` }}>
          {places.map((place) => (
            <Row
              key={place}
              id={`${id}-${place}`}
              place={place}
              trial={trialAt(place)}
              isChosen={place === at}
              onPick={onPick}
            />
          ))}
        </div>
      </div>
      {error !== undefined && <Failure error={error} again={again} />}
      {chosen !== undefined && <TrialDetails study={study} trial={chosen} turn={turn} />}
    </>
  );
}

const Head = ({ order }: { order: 'best' | 'number' }) => (
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
    <span role="columnheader" class="num rest" title="The trial whose weights it started with">
      Parent
    </span>
    <span role="columnheader" class="rest">
      Knobs
    </span>
  </div>
);

interface RowProps {
  id: string;
  place: number;
  trial: TrialAnswer | undefined;
  isChosen: boolean;
  onPick(trial: number): void;
}

function Row({ id, place, trial, isChosen, onPick }: RowProps) {
  return (
    <div
      id={id}
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
