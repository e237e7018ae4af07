import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { decimals } from '../state/format.ts';
import { colour, useTheme } from '../state/theme-choice.ts';
import type { BestSoFar } from '../state/trial-history.ts';
import { FONT } from './axes.ts';
import { extent } from './scales.ts';

const HEIGHT = 260;

export interface ScorePlotProps {
  data: BestSoFar;
  metric: string;
  onPick(trial: number): void;
}

const axis = (): uPlot.Axis => ({
  stroke: colour('muted'),
  font: FONT,
  grid: { stroke: colour('line'), width: 1 },
  ticks: { show: false },
});

/** Scores by trial, and the best so far. A part is enlarged by dragging, and shown whole again by a double click. */
export function ScorePlot({ data, metric, onPick }: ScorePlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [at, setAt] = useState<number | null>(null);
  const theme = useTheme();
  const pick = useRef(onPick);
  pick.current = onPick;
  const columns = (): uPlot.AlignedData => [data.trial, data.score, data.best];
  // made again for the theme's colours; data is set below
  useEffect(() => {
    const parent = box.current;
    if (parent === null) return;
    const made = new uPlot(
      {
        width: Math.max(100, parent.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { points: { size: 7 }, y: false },
        scales: { x: { time: false }, y: { range: (_, low, high) => extent([low, high]) } },
        axes: [axis(), { ...axis(), size: 52 }],
        series: [
          {},
          {
            stroke: colour('muted'),
            paths: () => null,
            points: { show: true, size: 4, fill: colour('muted'), width: 0 },
          },
          { stroke: colour('accent'), width: 2, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }) },
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
  }, [theme]);
  useEffect(() => plot.current?.setData(columns()), [data]);
  const last = data.best.at(-1);
  const place = at ?? data.trial.length - 1;
  return (
    <>
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
