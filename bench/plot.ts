import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { experimentsDir } from './results.ts';

/** Points of one curve, with an interval about each where there is one. */
interface Curve {
  name: string;
  points: readonly { x: number; y: number; low?: number; high?: number }[];
  /** Marks without a line. */
  marks?: boolean;
}

export interface Plot {
  title: string;
  x: string;
  y: string;
  curves: readonly Curve[];
}

const [WIDTH, HEIGHT] = [680, 360];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 190, 36, 48];
const TICKS = 5;
/** Told apart also by those who see no red or green (Okabe and Ito). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00'];

/** Draws into docs/experiments. */
export function draw(file: string, plot: Plot): void {
  const points = plot.curves.flatMap((curve) => curve.points);
  const xs = extent(points.map(({ x }) => x));
  const ys = extent(points.map(({ y }) => y)); // intervals that reach beyond are cut off
  const px = (x: number): string => (LEFT + ((x - xs.low) / (xs.high - xs.low)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (y: number): string => {
    const share = Math.min(1, Math.max(0, (y - ys.low) / (ys.high - ys.low)));
    return (HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  };
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-weight="bold">${plot.title}</text>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${plot.x}</text>`,
    `<text transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${plot.y}</text>`,
    ...ticks(xs).map((x) => `<text x="${px(x)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${label(x)}</text>`),
    ...ticks(ys).flatMap((y) => [
      `<text x="${LEFT - 6}" y="${Number(py(y)) + 4}" text-anchor="end">${label(y)}</text>`,
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y)}" y2="${py(y)}" stroke="#ddd"/>`,
    ]),
    ...plot.curves.flatMap((curve, i) =>
      shapesOf(curve, { colour: colours[i % colours.length] ?? 'black', px, py, place: i }),
    ),
    '</svg>',
  ];
  writeFileSync(path.join(experimentsDir, file), `${parts.join('\n')}\n`);
}

interface Pen {
  colour: string;
  px(x: number): string;
  py(y: number): string;
  /** In the legend. */
  place: number;
}

function shapesOf({ name, points, marks }: Curve, { colour, px, py, place }: Pen): string[] {
  const high = points.map(({ x, y, high = y }) => `${px(x)},${py(high)}`);
  const low = points.map(({ x, y, low = y }) => `${px(x)},${py(low)}`).reverse();
  const at = TOP + 14 + 18 * place;
  const legend = [
    `<rect x="${WIDTH - RIGHT + 10}" y="${at - 9}" width="12" height="10" fill="${colour}"/>`,
    `<text x="${WIDTH - RIGHT + 28}" y="${at}">${name}</text>`,
  ];
  if (marks)
    return [...points.map(({ x, y }) => `<circle cx="${px(x)}" cy="${py(y)}" r="3" fill="${colour}"/>`), ...legend];
  return [
    `<polygon points="${[...high, ...low].join(' ')}" fill="${colour}" opacity="0.15"/>`,
    `<polyline points="${points.map(({ x, y }) => `${px(x)},${py(y)}`).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...legend,
  ];
}

interface Extent {
  low: number;
  high: number;
}

/** With a little room on both sides. */
function extent(values: readonly number[]): Extent {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const room = high > low ? (high - low) / 20 : 0.5;
  return { low: low - room, high: high + room };
}

/** Round numbers, about so many. */
function ticks({ low, high }: Extent): number[] {
  const rough = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

const label = (value: number): string => String(Number(value.toPrecision(3)));
