import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { colour, useTheme } from '../state/theme-choice.ts';
import { plotAxis } from './axes.ts';
import { lonePoints } from './scales.ts';

const HEIGHT = 200;
/** An axis of nothing but zeros goes to this. */
const LEAST_TOP = 1;
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

interface Series {
  label: string;
  /** A colour of styles/tokens.css. */
  hue: string;
  isDashed?: boolean;
  values: (number | null)[];
}

export interface SeriesPlotProps {
  /** Unix seconds. */
  times: readonly number[];
  series: readonly Series[];
  label: string;
  unit: string;
}

/** Numbers over time. Its lines are made again when their names change, otherwise they only get new numbers. */
export function SeriesPlot({ times, series, label, unit }: SeriesPlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const theme = useTheme();
  const names = series.map(({ label: name }) => name).join('\n');
  const columns = (): uPlot.AlignedData => [[...times], ...series.map(({ values }) => values)];
  // numbers are set below
  useEffect(() => {
    const parent = box.current;
    if (parent === null) return;
    const made = new uPlot(
      {
        width: Math.max(100, parent.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, high) => [0, Math.max(LEAST_TOP, high * 1.1)] } },
        axes: [
          plotAxis({ values: (_, splits) => splits.map((at) => clock.format(1000 * at)), space: 70 }),
          plotAxis({ size: 56 }),
        ],
        series: [
          {},
          ...series.map(({ hue, isDashed = false }) => ({
            stroke: colour(hue),
            width: 1.75,
            points: {
              show: false,
              filter: (self: uPlot, place: number) => lonePoints(self.data[place] ?? []),
              size: 4,
              fill: colour(hue),
            },
            ...(isDashed ? { dash: [5, 4] } : {}),
          })),
        ],
      },
      columns(),
      parent,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(100, parent.clientWidth), height: HEIGHT }),
    );
    observer.observe(parent);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [theme, names]);
  useEffect(() => plot.current?.setData(columns()), [times, series]);
  const now = series.map(({ label: name, values }) => `${name} ${values.at(-1)?.toFixed(1) ?? '–'} ${unit}`).join(', ');
  return (
    <>
      <ul class="keys">
        {series.map(({ label: name, hue, values }) => (
          <li key={name}>
            <i style={{ background: `var(--${hue})` }} />
            {name} {values.at(-1) == null ? '–' : values.at(-1)?.toFixed(1)} {unit}
          </li>
        ))}
      </ul>
      <div ref={box} role="img" aria-label={`${label}: now ${now}`} style={{ height: `${HEIGHT}px` }} />
    </>
  );
}
