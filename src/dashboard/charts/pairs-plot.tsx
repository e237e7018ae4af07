import { useCallback } from 'preact/hooks';
import { colour } from '../state/theme-choice.ts';
import { drawAxes } from './axes.ts';
import { CanvasPlot, type PlotCanvas } from './canvas-plot.tsx';
import { extent, linearScale, ticks } from './scales.ts';

const HEIGHT = 260;
const PAD = { left: 56, right: 10, top: 8, bottom: 26 };

/** Predicted numbers (up) by actual ones (across): on the diagonal they are equal. */
export function PairsPlot({ pairs }: { pairs: readonly (readonly (number | null)[])[] }) {
  const draw = useCallback(
    (canvas: PlotCanvas) => {
      const { on, width } = canvas;
      const [low, high] = extent(pairs.flat());
      const frame = { left: PAD.left, right: width - PAD.right, top: PAD.top, bottom: HEIGHT - PAD.bottom };
      const atX = linearScale(low, high, frame.left + 4, frame.right - 4);
      const atY = linearScale(low, high, frame.bottom - 4, frame.top + 4);
      drawAxes(canvas, frame, { x: ticks(low, high, 5), y: ticks(low, high, 5), atX, atY });
      on.strokeStyle = colour('muted');
      on.setLineDash([4, 4]);
      on.beginPath();
      on.moveTo(atX(low), atY(low));
      on.lineTo(atX(high), atY(high));
      on.stroke();
      on.setLineDash([]);
      on.fillStyle = colour('accent');
      on.globalAlpha = pairs.length > 300 ? 0.4 : 0.75;
      for (const [actual, predicted] of pairs) {
        if (actual == null || predicted == null) continue;
        on.beginPath();
        on.arc(atX(actual), atY(predicted), 2, 0, 2 * Math.PI);
        on.fill();
      }
      on.globalAlpha = 1;
    },
    [pairs],
  );
  return (
    <>
      <CanvasPlot height={HEIGHT} label={`Predicted by actual number of ${pairs.length} rows`} draw={draw} />
      <p class="caption">Actual (across), and predicted (up).</p>
    </>
  );
}
