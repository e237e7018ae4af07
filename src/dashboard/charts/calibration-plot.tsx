import { useCallback } from 'preact/hooks';
import type { MistakesAnswer } from '../../http/charts/mistakes.ts';
import { counted, percent } from '../format.ts';
import { colour } from '../state/theme-choice.ts';
import { drawAxes } from './axes.ts';
import { CanvasPlot, type PlotCanvas } from './canvas-plot.tsx';
import { linearScale } from './scales.ts';

const HEIGHT = 240;
const PAD = { left: 44, right: 10, top: 8, bottom: 26 };
const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

/** How often the model is right by how certain it is: on the diagonal it is as right as it says. A dot's area is its number of rows. */
export function CalibrationPlot({ bins }: { bins: MistakesAnswer['bins'] }) {
  const draw = useCallback(
    (canvas: PlotCanvas) => {
      const { on, width } = canvas;
      const frame = { left: PAD.left, right: width - PAD.right, top: PAD.top, bottom: HEIGHT - PAD.bottom };
      const atX = linearScale(0, 1, frame.left + 4, frame.right - 4);
      const atY = linearScale(0, 1, frame.bottom - 4, frame.top + 4);
      const xTexts = QUARTERS.map((share) => percent(share));
      drawAxes(canvas, frame, { x: QUARTERS, y: QUARTERS, atX, atY, xTexts });
      on.strokeStyle = colour('muted');
      on.setLineDash([4, 4]);
      on.beginPath();
      on.moveTo(atX(0), atY(0));
      on.lineTo(atX(1), atY(1));
      on.stroke();
      on.setLineDash([]);
      on.strokeStyle = on.fillStyle = colour('accent');
      on.lineWidth = 2;
      on.beginPath();
      bins.forEach(({ confidence, hits, rows }, i) => {
        if (i === 0) on.moveTo(atX(confidence), atY(hits / rows));
        else on.lineTo(atX(confidence), atY(hits / rows));
      });
      on.stroke();
      const most = Math.max(...bins.map(({ rows }) => rows));
      for (const { confidence, hits, rows } of bins) {
        on.beginPath();
        on.arc(atX(confidence), atY(hits / rows), 2 + 6 * Math.sqrt(rows / most), 0, 2 * Math.PI);
        on.fill();
      }
    },
    [bins],
  );
  const said = bins.map(
    ({ confidence, hits, rows }) => `${percent(confidence)} certain: ${percent(hits / rows)} of ${counted(rows)} right`,
  );
  return (
    <>
      <CanvasPlot height={HEIGHT} label={`Calibration. ${said.join('; ')}`} draw={draw} />
      <p class="caption">Certain (across), and right (up). Below the diagonal the model is too certain.</p>
    </>
  );
}
