import { useCallback, useMemo } from 'preact/hooks';
import { colour } from '../state/theme-choice.ts';
import { FONT } from './axes.ts';
import { CanvasPlot, type PlotCanvas } from './canvas-plot.tsx';
import type { KnobAxis } from './knob-scale.ts';
import { axisTexts, linearScale, scoreExtent } from './scales.ts';

const HEIGHT = 130;
const PAD = { left: 48, right: 8, top: 6, bottom: 18 };
const RADIUS = 1.75;

export interface SlicePlotProps {
  axis: KnobAxis;
  scores: readonly (number | null)[];
  metric: string;
  /** Which of the trials is chosen; -1: none. */
  chosen: number;
}

/** The score by one knob, a dot for each trial. */
export function SlicePlot({ axis, scores, metric, chosen }: SlicePlotProps) {
  const { knob, shares, marks, isLog } = axis;
  const [low, high] = useMemo(() => scoreExtent(scores), [scores]);
  const draw = useCallback(
    ({ on, width }: PlotCanvas) => {
      const atX = linearScale(0, 1, PAD.left + 4, width - PAD.right - 4);
      const atY = linearScale(low, high, HEIGHT - PAD.bottom - 4, PAD.top + 4);
      on.font = FONT;
      on.fillStyle = colour('muted');
      on.textAlign = 'right';
      on.textBaseline = 'middle';
      const [lowText = '', highText = ''] = axisTexts([low, high]);
      on.fillText(lowText, PAD.left - 4, atY(low));
      on.fillText(highText, PAD.left - 4, atY(high));
      on.textBaseline = 'top';
      const ends = marks.length > 3 ? [marks[0], marks.at(-1)] : marks;
      ends.forEach((mark, i) => {
        on.textAlign = i === 0 ? 'left' : i === ends.length - 1 ? 'right' : 'center';
        if (mark !== undefined) on.fillText(mark.text.slice(0, 14), atX(mark.share), HEIGHT - PAD.bottom + 4);
      });
      on.strokeStyle = colour('line');
      on.strokeRect(PAD.left + 0.5, PAD.top + 0.5, width - PAD.left - PAD.right - 1, HEIGHT - PAD.top - PAD.bottom - 1);
      on.globalAlpha = shares.length > 300 ? 0.35 : 0.7;
      on.fillStyle = colour('accent');
      shares.forEach((share, i) => {
        const score = scores[i];
        if (share === null || score == null) return;
        on.beginPath();
        on.arc(atX(share), atY(score), RADIUS, 0, 2 * Math.PI);
        on.fill();
      });
      on.globalAlpha = 1;
      const [share, score] = [shares[chosen], scores[chosen]];
      if (share == null || score == null) return;
      on.fillStyle = colour('text');
      on.beginPath();
      on.arc(atX(share), atY(score), 4, 0, 2 * Math.PI);
      on.fill();
    },
    [shares, scores, marks, low, high, chosen],
  );
  return (
    <figure>
      <CanvasPlot height={HEIGHT} label={`${metric} by ${knob}, ${shares.length} trials`} draw={draw} />
      <figcaption title={knob}>
        {knob}
        {isLog && ' (log)'}
      </figcaption>
    </figure>
  );
}
