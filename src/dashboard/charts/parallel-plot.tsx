import { useCallback, useMemo, useState } from 'preact/hooks';
import { counted, decimals } from '../format.ts';
import { colour } from '../state/theme-choice.ts';
import { FONT } from './axes.ts';
import { CanvasPlot, type PlotCanvas, type PointerPlace } from './canvas-plot.tsx';
import type { KnobAxis } from './knob-scale.ts';
import { axisTexts, linearScale, scoreExtent } from './scales.ts';
import { shadesOf } from './shades.ts';

const HEIGHT = 300;
const PAD = { side: 44, top: 34, bottom: 14 };
const NEAR = 14;
/** Shades from poor to good. */
const SHADES = 6;

export interface ParallelPlotProps {
  axes: readonly KnobAxis[];
  trials: readonly number[];
  scores: readonly (number | null)[];
  metric: string;
  chosen: number | undefined;
  onPick(trial: number): void;
}

/** A line for each trial through its values, and its score at the right; good trials are drawn last and darkest. */
export function ParallelPlot({ axes, trials, scores, metric, chosen, onPick }: ParallelPlotProps) {
  const [near, setNear] = useState<number>();
  const all = useMemo((): KnobAxis[] => {
    const [low, high] = scoreExtent(scores);
    const atY = linearScale(low, high, 0, 1);
    const shares = scores.map((score) => (score === null ? null : atY(score)));
    const marks = axisTexts([low, (low + high) / 2, high]).map((text, i) => ({ share: i / 2, text }));
    return [...axes, { knob: metric, isLog: false, shares, marks }];
  }, [axes, scores, metric]);
  const { groups, bestFrom } = useMemo(() => shadesOf(scores, SHADES), [scores]);
  const best = bestFrom === undefined ? undefined : groups.at(-1)?.length;
  const xOf = useCallback((width: number) => linearScale(0, all.length - 1, PAD.side, width - PAD.side), [all.length]);
  const yOf = linearScale(0, 1, HEIGHT - PAD.bottom, PAD.top);
  const draw = useCallback(
    (canvas: PlotCanvas) => {
      const { on, width } = canvas;
      const atX = xOf(width);
      groups.forEach((group, g) => {
        const isBest = bestFrom !== undefined && g === SHADES - 1;
        on.strokeStyle = colour(isBest ? 'accent' : 'muted');
        on.globalAlpha = (isBest ? 0.9 : 0.2 + 0.08 * g) * Math.max(0.25, Math.min(1, 12 / Math.sqrt(trials.length)));
        on.lineWidth = isBest ? 1.4 : 1;
        on.beginPath();
        for (const i of group) trace(on, all, i, atX, yOf);
        on.stroke();
      });
      on.globalAlpha = 1;
      drawKnobs(canvas, all, atX, yOf);
    },
    [all, groups, bestFrom, trials.length, xOf],
  );
  const shown = near ?? (chosen === undefined ? -1 : trials.indexOf(chosen));
  const drawOver = useCallback(
    ({ on, width }: PlotCanvas) => {
      if (shown < 0) return;
      on.strokeStyle = colour('text');
      on.lineWidth = 2.5;
      on.beginPath();
      trace(on, all, shown, xOf(width), yOf);
      on.stroke();
    },
    [all, shown, xOf],
  );
  const find = ({ x, y }: PointerPlace, width: number): number | undefined => {
    const atX = xOf(width);
    const step = Math.max(
      0,
      Math.min(all.length - 2, Math.floor(((x - PAD.side) / (width - 2 * PAD.side)) * (all.length - 1))),
    );
    const [left, right] = [all[step], all[step + 1]];
    const part = (x - atX(step)) / (atX(step + 1) - atX(step));
    let least = NEAR;
    let found: number | undefined;
    trials.forEach((_, i) => {
      const [a, b] = [left?.shares[i], right?.shares[i]];
      if (a == null || b == null) return;
      const distance = Math.abs(yOf(a + (b - a) * part) - y);
      if (distance < least) [least, found] = [distance, i];
    });
    return found;
  };
  return (
    <>
      <CanvasPlot
        height={HEIGHT}
        label={`Parallel coordinates of ${trials.length} trials: ${axes.map(({ knob }) => knob).join(', ')}, and ${metric}`}
        draw={draw}
        drawOver={drawOver}
        onPoint={(place, width) => setNear(place === undefined ? undefined : find(place, width))}
        onPick={(place, width) => {
          const found = trials[find(place, width) ?? -1];
          if (found !== undefined) onPick(found);
        }}
      />
      <p class="caption">
        {best === undefined
          ? 'All trials have the same score.'
          : `In colour: the ${counted(best)} trials with the best scores, from ${decimals(bestFrom)} up.`}
      </p>
      <p class="caption" aria-hidden="true">
        {shown >= 0 && `trial ${trials[shown]} · ${metric} ${decimals(scores[shown])}`}
      </p>
    </>
  );
}

function trace(
  on: CanvasRenderingContext2D,
  axes: readonly KnobAxis[],
  trial: number,
  atX: (axis: number) => number,
  atY: (share: number) => number,
): void {
  let isOpen = false;
  axes.forEach(({ shares }, axis) => {
    const share = shares[trial];
    if (share == null) isOpen = false;
    else if (isOpen) on.lineTo(atX(axis), atY(share));
    else {
      on.moveTo(atX(axis), atY(share));
      isOpen = true;
    }
  });
}

function drawKnobs(
  { on, width }: PlotCanvas,
  axes: readonly KnobAxis[],
  atX: (axis: number) => number,
  atY: (share: number) => number,
): void {
  const room = (width - 2 * PAD.side) / Math.max(1, axes.length - 1);
  on.font = FONT;
  axes.forEach(({ knob, marks }, axis) => {
    const x = atX(axis);
    const isLast = axis === axes.length - 1;
    on.strokeStyle = colour('line-strong');
    on.beginPath();
    on.moveTo(Math.round(x) + 0.5, atY(1) - 4);
    on.lineTo(Math.round(x) + 0.5, atY(0) + 4);
    on.stroke();
    on.textAlign = axis === 0 ? 'left' : isLast ? 'right' : 'center';
    on.textBaseline = 'alphabetic';
    on.fillStyle = colour('text');
    const edge = axis === 0 ? x - PAD.side + 4 : isLast ? x + PAD.side - 4 : x;
    // names alternate in height where there is little room
    on.fillText(cutTo(on, knob, 2 * room - 8), edge, room < 110 && axis % 2 === 1 ? 11 : 24);
    on.textAlign = isLast ? 'left' : 'right';
    on.textBaseline = 'middle';
    for (const { share, text } of marks) drawMark(on, cutTo(on, text, 60), isLast ? x + 4 : x - 4, atY(share));
  });
}

/** On a ground of its own: lines go through it. */
function drawMark(on: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  const { width } = on.measureText(text);
  on.fillStyle = colour('surface');
  on.globalAlpha = 0.8;
  on.fillRect(on.textAlign === 'left' ? x - 2 : x - width - 2, y - 7, width + 4, 14);
  on.globalAlpha = 1;
  on.fillStyle = colour('muted');
  on.fillText(text, x, y);
}

function cutTo(on: CanvasRenderingContext2D, text: string, width: number): string {
  if (on.measureText(text).width <= width) return text;
  let end = text.length - 1;
  while (end > 1 && on.measureText(`${text.slice(0, end)}…`).width > width) end--;
  return `${text.slice(0, end)}…`;
}
