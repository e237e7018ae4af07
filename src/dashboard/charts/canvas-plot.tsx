import { useEffect, useRef, useState } from 'preact/hooks';
import { useTheme } from '../state/theme-choice.ts';

export interface PointerPlace {
  x: number;
  y: number;
}

export interface PlotCanvas {
  on: CanvasRenderingContext2D;
  width: number;
  height: number;
}

export interface CanvasPlotProps {
  /** CSS pixels. */
  height: number;
  /** What a screen reader says in place of the picture. */
  label: string;
  /** Draws all; called again when it changes itself, with the theme, and with the width. */
  draw(canvas: PlotCanvas): void;
  /** Draws what stands out, on a layer of its own: thousands of lines are not drawn again when the pointer moves. */
  drawOver?: ((canvas: PlotCanvas) => void) | undefined;
  onPoint?: ((place: PointerPlace | undefined, width: number) => void) | undefined;
  onPick?: ((place: PointerPlace, width: number) => void) | undefined;
}

/** Two layers of canvas as wide as their place, sharp on any screen. */
export function CanvasPlot({ height, label, draw, drawOver, onPoint, onPick }: CanvasPlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const below = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const theme = useTheme();
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    if (box.current !== null) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  // colours come from the theme
  useEffect(() => paint(below.current, width, height, draw), [draw, width, height, theme]);
  useEffect(() => paint(above.current, width, height, drawOver), [drawOver, width, height, theme]);
  const placeOf = (event: PointerEvent): PointerPlace => ({ x: event.offsetX, y: event.offsetY });
  return (
    <div
      ref={box}
      class="plot"
      style={{ height: `${height}px` }}
      role="img"
      aria-label={label}
      {...(onPoint === undefined
        ? {}
        : {
            onPointerMove: (event) => onPoint(placeOf(event), width),
            onPointerLeave: () => onPoint(undefined, width),
          })}
      {...(onPick === undefined ? {} : { onPointerUp: (event) => onPick(placeOf(event), width) })}
    >
      <canvas class="layer" ref={below} />
      <canvas class="layer" ref={above} />
    </div>
  );
}

function paint(
  canvas: HTMLCanvasElement | null,
  width: number,
  height: number,
  draw: ((canvas: PlotCanvas) => void) | undefined,
): void {
  const on = canvas?.getContext('2d');
  if (canvas === null || on == null || width === 0) return;
  const scale = devicePixelRatio;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  on.setTransform(scale, 0, 0, scale, 0, 0);
  on.clearRect(0, 0, width, height);
  draw?.({ on, width, height });
}
