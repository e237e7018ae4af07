import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { decimals } from '../format.ts';
import { colour, useTheme } from '../state/theme-choice.ts';
import type { BestSoFar } from '../state/trial-history.ts';
import { plotAxis } from './axes.ts';
import { scoreExtent } from './scales.ts';

const HEIGHT = 240;
/** Steps of an axis of whole numbers. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

export interface ScorePlotProps {
  data: BestSoFar;
  metric: string;
  chosen: number | undefined;
  onPick(trial: number): void;
}

/** Dots of many trials are small and pale: the line of the best is to be seen through them. */
const dotOf = (trials: number): { size: number; alpha: string } =>
  trials > 3000 ? { size: 2, alpha: '55' } : trials > 500 ? { size: 3, alpha: '99' } : { size: 4, alpha: 'ff' };

/** Scores by trial, and the best so far. A part is enlarged by dragging, and shown whole again by a double click. */
export function ScorePlot({ data, metric, chosen, onPick }: ScorePlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [at, setAt] = useState<number | null>(null);
  const theme = useTheme();
  const pick = useRef(onPick);
  pick.current = onPick;
  const { size, alpha } = dotOf(data.trial.length);
  const marked = chosen === undefined ? -1 : data.trial.indexOf(chosen);
  const columns = (): uPlot.AlignedData => [
    data.trial,
    data.score,
    data.best,
    data.score.map((score, i) => (i === marked ? score : null)),
  ];
  // made again for the theme's colours; data is set below
  useEffect(() => {
    const parent = box.current;
    if (parent === null) return;
    const dots = (diameter: number, fill: string): uPlot.Series => ({
      paths: () => null,
      points: { show: true, size: diameter, fill, width: 0 },
    });
    const made = new uPlot(
      {
        width: Math.max(100, parent.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { points: { size: 7 }, y: false },
        scales: { x: { time: false }, y: { range: (_, low, high) => scoreExtent([low, high]) } },
        axes: [plotAxis({ incrs: WHOLE }), plotAxis({ size: 52 })],
        series: [
          {},
          dots(size, `${colour('muted')}${alpha}`),
          { stroke: colour('accent'), width: 2, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }) },
          dots(9, colour('text')),
        ],
        hooks: { setCursor: [(self) => setAt(self.cursor.idx ?? null)] },
      },
      columns(),
      parent,
    );
    plot.current = made;
    made.over.addEventListener('click', () => {
      const trial = made.data[0]?.[made.cursor.idx ?? -1];
      if (trial !== undefined) pick.current(trial);
    });
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(100, parent.clientWidth), height: HEIGHT }),
    );
    observer.observe(parent);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [theme, size]);
  useEffect(() => {
    const shown = plot.current;
    if (shown !== undefined) setKeepingZoom(shown, columns());
  }, [data, marked]);
  const last = data.best.at(-1);
  const place = at ?? (marked >= 0 ? marked : data.trial.length - 1);
  return (
    <>
      <ul class="keys">
        <li>
          <i class="dot" style={{ background: 'var(--muted)' }} />a trial
        </li>
        <li>
          <i style={{ background: 'var(--accent)' }} />
          best so far
        </li>
      </ul>
      <div
        ref={box}
        role="img"
        aria-label={`${metric} of ${data.trial.length} trials by number; the best so far is ${decimals(last)}`}
        style={{ height: `${HEIGHT}px` }}
      />
      <p class="caption" aria-hidden="true">
        {data.trial[place] !== undefined &&
          `trial ${data.trial[place]} · ${metric} ${decimals(data.score[place])} · best so far ${decimals(data.best[place])}`}
      </p>
    </>
  );
}

/** New trials come while one looks at a part: it stays. */
function setKeepingZoom(plot: uPlot, data: uPlot.AlignedData): void {
  const { min = null, max = null } = plot.scales['x'] ?? {};
  const known = plot.data[0];
  const isZoomed = min !== null && max !== null && (min > (known.at(0) ?? min) || max < (known.at(-1) ?? max));
  plot.setData(data, !isZoomed);
  if (isZoomed) plot.setScale('x', { min, max });
}
