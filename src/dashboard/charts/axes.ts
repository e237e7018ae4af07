import type uPlot from 'uplot';
import { colour } from '../state/theme-choice.ts';
import type { PlotCanvas } from './canvas-plot.tsx';
import { axisTexts, type Scale, stepText } from './scales.ts';

/** The part of a canvas that data is drawn in, CSS pixels. */
export interface PlotFrame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export const FONT = '11px system-ui, "Liberation Sans", sans-serif';

/** Between two texts of an axis. */
const GAP = 8;

/** Lines and numbers of the vertical axis, numbers of the horizontal one. */
export function drawAxes(
  { on }: PlotCanvas,
  { left, right, bottom }: PlotFrame,
  axes: { x: readonly number[]; y: readonly number[]; atX: Scale; atY: Scale; xTexts?: readonly string[] },
): void {
  const { x, y, atX, atY, xTexts = axisTexts(x) } = axes;
  const yTexts = axisTexts(y);
  on.font = FONT;
  on.fillStyle = colour('muted');
  on.strokeStyle = colour('line');
  on.lineWidth = 1;
  on.textAlign = 'right';
  on.textBaseline = 'middle';
  on.beginPath();
  for (const [i, value] of y.entries()) {
    const at = Math.round(atY(value)) + 0.5;
    on.moveTo(left, at);
    on.lineTo(right, at);
    on.fillText(yTexts[i] ?? '', left - 6, at);
  }
  on.stroke();
  on.textAlign = 'center';
  on.textBaseline = 'top';
  let free = 0;
  for (const [i, value] of x.entries()) {
    const text = xTexts[i] ?? '';
    const half = on.measureText(text).width / 2;
    const at = Math.min(right - half, Math.max(half, atX(value)));
    if (i > 0 && at - half < free) continue; // no room for it
    on.fillText(text, at, bottom + 6);
    free = at + half + GAP;
  }
  on.strokeStyle = colour('line-strong');
  on.beginPath();
  on.moveTo(left, Math.round(bottom) + 0.5);
  on.lineTo(right, Math.round(bottom) + 0.5);
  on.stroke();
}

const HUES = 8;
/** The colour of a family, by its place among those of the study. */
export const hueOf = (families: readonly string[], family: string): string =>
  `hue-${(Math.max(0, families.indexOf(family)) % HUES) + 1}`;

/** An axis of uPlot that looks as ours. */
export const plotAxis = (given: uPlot.Axis = {}): uPlot.Axis => ({
  stroke: colour('muted'),
  font: FONT,
  grid: { stroke: colour('line'), width: 1 },
  ticks: { show: false },
  values: (_, splits, __, ___, step) => splits.map((value) => (value == null ? null : stepText(value, step))),
  ...given,
});
