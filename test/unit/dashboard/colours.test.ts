import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const css = readFileSync(path.resolve(import.meta.dirname, '../../../src/dashboard/styles/tokens.css'), 'utf8');
const [light = '', dark = ''] = css.split('data-theme="dark"');

const colourOf = (theme: string, name: string): string =>
  new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(theme)?.[1] ?? `no ${name}`;

/** Relative luminance and contrast: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

test.each([
  ['light', light],
  ['dark', dark],
])('%s: texts have 4.5 : 1 to what they stand on, edges of inputs 3 : 1', (_, theme) => {
  for (const ground of ['ground', 'surface', 'raised']) {
    for (const text of ['text', 'muted', 'accent', 'bad'])
      expect([text, ground, contrast(colourOf(theme, text), colourOf(theme, ground)) >= 4.5]).toEqual([
        text,
        ground,
        true,
      ]);
    expect([ground, contrast(colourOf(theme, 'edge'), colourOf(theme, ground)) >= 3]).toEqual([ground, true]);
  }
});
