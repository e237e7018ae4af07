import { useCallback, useMemo, useState } from 'preact/hooks';
import type { CurvesAnswer } from '../../http/charts/curves.ts';
import { decimals } from '../format.ts';
import { colour } from '../state/theme-choice.ts';
import { drawAxes, hueOf, type PlotFrame } from './axes.ts';
import { CanvasPlot, type PlotCanvas, type PointerPlace } from './canvas-plot.tsx';
import { linearScale, scoreExtent, ticks } from './scales.ts';

const HEIGHT = 260;
const PAD = { left: 52, right: 8, top: 8, bottom: 26 };
/** The pointer means a line that is at most so far away, CSS pixels. */
const NEAR = 24;
/** So many lines together still leave the darkest parts readable. */
const inkOf = (lines: number): number => Math.max(0.12, Math.min(0.85, 14 / Math.sqrt(lines * 12)));

type ShownCurve = CurvesAnswer['curves'][number];

export interface CurvePlotProps {
  curves: readonly ShownCurve[];
  families: readonly string[];
  metric: string;
  chosen: number | undefined;
  onPick(trial: number): void;
}

const frameOf = (width: number): PlotFrame => ({
  left: PAD.left,
  right: width - PAD.right,
  top: PAD.top,
  bottom: HEIGHT - PAD.bottom,
});

/** Score after each epoch, a line for each trial. */
export function CurvePlot({ curves, families, metric, chosen, onPick }: CurvePlotProps) {
  const [near, setNear] = useState<ShownCurve>();
  const [low, high] = useMemo(() => scoreExtent(curves.flatMap(({ scores }) => scores)), [curves]);
  const last = useMemo(() => Math.max(2, ...curves.map(({ epochs }) => epochs.at(-1) ?? 1)), [curves]);
  const scales = useCallback(
    (width: number) => {
      const frame = frameOf(width);
      return {
        frame,
        atX: linearScale(1, last, frame.left + 4, frame.right - 4),
        atY: linearScale(low, high, frame.bottom - 6, frame.top + 4),
      };
    },
    [low, high, last],
  );
  const draw = useCallback(
    (canvas: PlotCanvas) => {
      const { frame, atX, atY } = scales(canvas.width);
      const whole = ticks(1, last, 6).filter(Number.isInteger);
      drawAxes(canvas, frame, { x: whole, y: ticks(low, high, 5), atX, atY });
      canvas.on.globalAlpha = inkOf(curves.length);
      canvas.on.lineWidth = 1.25;
      for (const family of families) {
        canvas.on.strokeStyle = canvas.on.fillStyle = colour(hueOf(families, family));
        for (const curve of curves) if (curve.family === family) trace(canvas, curve, atX, atY);
      }
      canvas.on.globalAlpha = 1;
    },
    [curves, families, scales, low, high, last],
  );
  const drawOver = useCallback(
    (canvas: PlotCanvas) => {
      const { atX, atY } = scales(canvas.width);
      const shown = curves.filter((curve) => curve === near || curve.trial === chosen);
      for (const curve of shown) {
        canvas.on.strokeStyle = canvas.on.fillStyle = colour('text');
        canvas.on.lineWidth = curve.trial === chosen ? 2.5 : 1.75;
        trace(canvas, curve, atX, atY);
      }
    },
    [curves, near, chosen, scales],
  );
  const find = (place: PointerPlace, width: number): ShownCurve | undefined => {
    const { atX, atY } = scales(width);
    let least = NEAR ** 2;
    let found: ShownCurve | undefined;
    for (const curve of curves) {
      for (let i = 0; i < curve.epochs.length; i++) {
        const score = curve.scores[i];
        if (score == null) continue;
        const distance = (atX(curve.epochs[i] as number) - place.x) ** 2 + (atY(score) - place.y) ** 2;
        if (distance < least) [least, found] = [distance, curve];
      }
    }
    return found;
  };
  const told = near ?? curves.find(({ trial }) => trial === chosen);
  return (
    <>
      <CanvasPlot
        height={HEIGHT}
        label={`Learning curves of ${curves.length} trials: ${metric} after each of at most ${last} epochs`}
        draw={draw}
        drawOver={drawOver}
        onPoint={(place, width) => setNear(place === undefined ? undefined : find(place, width))}
        onPick={(place, width) => {
          const found = find(place, width);
          if (found !== undefined) onPick(found.trial);
        }}
      />
      <p class="caption" aria-hidden="true">
        {told !== undefined &&
          `trial ${told.trial} · ${told.family} · ${metric} ${decimals(told.scores.at(-1))} after epoch ${told.epochs.at(-1)}`}
      </p>
    </>
  );
}

function trace(
  { on }: PlotCanvas,
  { epochs, scores }: ShownCurve,
  atX: (epoch: number) => number,
  atY: (score: number) => number,
): void {
  let isOpen = false;
  on.beginPath();
  epochs.forEach((epoch, i) => {
    const score = scores[i];
    if (score == null) return;
    if (isOpen) on.lineTo(atX(epoch), atY(score));
    else on.moveTo(atX(epoch), atY(score));
    isOpen = true;
  });
  if (epochs.length > 1) on.stroke();
  else if (isOpen) on.fillRect(atX(epochs[0] ?? 1) - 2, atY(scores[0] ?? 0) - 2, 4, 4);
}
