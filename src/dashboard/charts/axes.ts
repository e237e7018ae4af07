import { colour } from '../state/theme-choice.ts';
import type { PlotCanvas } from './canvas-plot.tsx';
import { type Scale, tickText } from './scales.ts';

/** The part of a canvas that data is drawn in, CSS pixels. */
export interface PlotFrame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export const FONT = '11px system-ui, "Liberation Sans", sans-serif';

/** Lines and numbers of the vertical axis, numbers of the horizontal one. */
export function drawAxes(
  { on }: PlotCanvas,
  { left, right, bottom }: PlotFrame,
  axes: { x: readonly number[]; y: readonly number[]; atX: Scale; atY: Scale; xText?: (value: number) => string },
): void {
  const { x, y, atX, atY, xText = tickText } = axes;
  on.font = FONT;
  on.fillStyle = colour('muted');
  on.strokeStyle = colour('line');
  on.lineWidth = 1;
  on.textAlign = 'right';
  on.textBaseline = 'middle';
  on.beginPath();
  for (const value of y) {
    const at = Math.round(atY(value)) + 0.5;
    on.moveTo(left, at);
    on.lineTo(right, at);
    on.fillText(tickText(value), left - 6, at);
  }
  on.stroke();
  on.textAlign = 'center';
  on.textBaseline = 'top';
  for (const value of x) on.fillText(xText(value), Math.min(right - 8, Math.max(left + 4, atX(value))), bottom + 6);
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
