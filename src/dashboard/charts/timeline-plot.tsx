import { useCallback, useMemo, useState } from 'preact/hooks';
import { counted, decimals, duration } from '../format.ts';
import { colour } from '../state/theme-choice.ts';
import { kinOf, type TimelineBar, type TrialColumns, timelineOf } from '../state/trial-history.ts';
import { drawAxes, hueOf, type PlotFrame } from './axes.ts';
import { CanvasPlot, type PlotCanvas, type PointerPlace } from './canvas-plot.tsx';
import { linearScale, timeTicks } from './scales.ts';

const LANE = 26;
const MAX_LANES_HEIGHT = 24 * LANE;
const PAD = { left: 96, right: 12, top: 6, bottom: 26 };
/** More arrows than these are a tangle: then only those of the chosen trial's family tree are drawn. */
const MAX_ARROWS = 120;
/** CSS pixels of a time below the lanes. */
const TICK_ROOM = 80;
const tickText = (s: number): string => (s > 0 && s < 60 ? `${s} s` : s === 0 ? '0' : duration(s));

export interface TimelinePlotProps {
  history: TrialColumns;
  families: readonly string[];
  /** Seconds since the study was created: where running trials reach to. */
  nowS: number;
  chosen: number | undefined;
  onPick(trial: number): void;
}

/** A lane for each worker, a bar for each trial, an arrow from each trial that gave its weights to the one that got them. */
export function TimelinePlot({ history, families, nowS, chosen, onPick }: TimelinePlotProps) {
  const [near, setNear] = useState<TimelineBar>();
  const { workers, bars, endS } = useMemo(() => timelineOf(history, nowS), [history, nowS]);
  const lane = Math.min(LANE, MAX_LANES_HEIGHT / Math.max(1, workers.length));
  const height = PAD.top + PAD.bottom + lane * Math.max(1, workers.length);
  const kin = useMemo(() => (chosen === undefined ? undefined : kinOf(history, chosen)), [history, chosen]);
  const byTrial = useMemo(() => new Map(bars.map((bar) => [bar.trial, bar])), [bars]);
  const arrows = useMemo(() => arrowsOf(history, byTrial, kin), [history, byTrial, kin]);
  const frameOf = (width: number): PlotFrame => ({
    left: PAD.left,
    right: width - PAD.right,
    top: PAD.top,
    bottom: height - PAD.bottom,
  });
  const atXOf = (width: number) => linearScale(0, endS, PAD.left, width - PAD.right);
  const draw = useCallback(
    (canvas: PlotCanvas) => {
      const { on, width } = canvas;
      const atX = atXOf(width);
      const x = timeTicks(endS, Math.floor((width - PAD.left) / TICK_ROOM));
      drawAxes(canvas, frameOf(width), { x, y: [], atX, atY: () => 0, xTexts: x.map(tickText) });
      on.textAlign = 'left';
      on.textBaseline = 'middle';
      on.fillStyle = colour('muted');
      if (lane >= 12)
        for (const [i, worker] of workers.entries())
          on.fillText(worker === null ? 'worker' : `worker ${worker}`, 4, PAD.top + lane * (i + 0.5));
      for (const bar of bars) {
        const family = history.family[bar.place] ?? '';
        const state = history.state[bar.place];
        on.globalAlpha =
          kin !== undefined && !kin.has(bar.trial) ? 0.25 : state === 'failed' || state === 'cancelled' ? 0.4 : 0.85;
        on.fillStyle = colour(hueOf(families, family));
        barOf(on, bar, atX, lane);
      }
      on.globalAlpha = 1;
    },
    [bars, workers, history, families, kin, endS, lane, height],
  );
  const drawOver = useCallback(
    ({ on, width }: PlotCanvas) => {
      const atX = atXOf(width);
      on.strokeStyle = colour('text');
      on.fillStyle = colour('text');
      on.lineWidth = 1;
      for (const [from, to] of arrows) arrow(on, from, to, atX, lane);
      const marked = [near, chosen === undefined ? undefined : byTrial.get(chosen)];
      on.lineWidth = 2;
      for (const bar of marked) {
        if (bar === undefined) continue;
        const x = atX(bar.fromS);
        on.strokeRect(x, PAD.top + lane * bar.lane + 2, Math.max(2, atX(bar.toS) - x), lane - 4);
      }
    },
    [arrows, near, chosen, byTrial, endS, lane],
  );
  const find = ({ x, y }: PointerPlace, width: number): TimelineBar | undefined => {
    const atX = atXOf(width);
    const row = Math.floor((y - PAD.top) / lane);
    return bars.find((bar) => bar.lane === row && x >= atX(bar.fromS) - 2 && x <= atX(bar.toS) + 2);
  };
  const told = near ?? (chosen === undefined ? undefined : byTrial.get(chosen));
  const starts = useMemo(() => history.parent.filter((parent) => parent !== null).length, [history]);
  return (
    <>
      <CanvasPlot
        height={height}
        label={`${bars.length} trials on ${workers.length} workers over ${duration(endS)}; ${arrows.length} warm starts are drawn`}
        draw={draw}
        drawOver={drawOver}
        onPoint={(place, width) => setNear(place === undefined ? undefined : find(place, width))}
        onPick={(place, width) => {
          const found = find(place, width);
          if (found !== undefined) onPick(found.trial);
        }}
      />
      <p class="caption" aria-hidden="true">
        {told !== undefined && barText(told, history)}
      </p>
      {starts > 0 && (
        <p class="caption">
          {chosen === undefined && starts > MAX_ARROWS
            ? `${counted(starts)} warm starts are too many arrows: choose a trial, and those of its family tree are drawn.`
            : 'An arrow goes from a trial to the one that started with its weights.'}
        </p>
      )}
    </>
  );
}

function barText(
  { trial, place, fromS, toS }: TimelineBar,
  { family, score, parent, refits, state }: TrialColumns,
): string {
  const from = parent[place] == null ? '' : ` · warm start from trial ${parent[place]}`;
  const again = refits[place] == null ? '' : ` · trains trial ${refits[place]} again on all rows`;
  const own = score[place] == null ? state[place] : `score ${decimals(score[place])}`;
  return `trial ${trial} · ${family[place]} · ${own} · ${duration(toS - fromS)}${from}${again}`;
}

type Arrow = readonly [TimelineBar, TimelineBar];

function arrowsOf(
  { trial, parent }: TrialColumns,
  byTrial: ReadonlyMap<number, TimelineBar>,
  kin: ReadonlySet<number> | undefined,
): Arrow[] {
  const arrows: Arrow[] = [];
  trial.forEach((number, i) => {
    const from = byTrial.get(parent[i] ?? -1);
    const to = byTrial.get(number);
    if (from === undefined || to === undefined) return;
    if (kin === undefined || (kin.has(number) && kin.has(from.trial))) arrows.push([from, to]);
  });
  return kin === undefined && arrows.length > MAX_ARROWS ? [] : arrows;
}

function barOf(
  on: CanvasRenderingContext2D,
  { lane: row, fromS, toS }: TimelineBar,
  atX: (s: number) => number,
  lane: number,
): void {
  const x = atX(fromS);
  on.fillRect(x, PAD.top + lane * row + 3, Math.max(1, atX(toS) - x - 1), lane - 6);
}

/** From the end of a bar, or within it if the other began before, to the beginning of the other. */
function arrow(
  on: CanvasRenderingContext2D,
  from: TimelineBar,
  to: TimelineBar,
  atX: (s: number) => number,
  lane: number,
): void {
  const middle = (bar: TimelineBar): number => PAD.top + lane * (bar.lane + 0.5);
  const [x1, y1] = [atX(Math.min(from.toS, to.fromS)), middle(from)];
  const [x2, y2] = [atX(to.fromS), middle(to)];
  const bend = Math.max(8, Math.min(40, Math.abs(x2 - x1) / 2));
  // within a lane along its upper edge: bars between are not crossed
  const lift = y1 === y2 && x2 - x1 > lane ? lane / 2 - 1 : 0;
  on.beginPath();
  on.moveTo(x1, y1);
  if (lift === 0) on.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2 - 3, y2);
  else {
    on.lineTo(x1 + lift / 2, y1 - lift);
    on.lineTo(x2 - lift / 2 - 3, y2 - lift);
    on.lineTo(x2 - 3, y2 - 2);
  }
  on.stroke();
  on.beginPath();
  on.moveTo(x2 + 1, y2);
  on.lineTo(x2 - 5, y2 - 3);
  on.lineTo(x2 - 5, y2 + 3);
  on.fill();
}
