import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { chromiumPath, startChromium } from '../test/support/chromium.ts';
import { insertManyTrials } from '../test/support/many-trials.ts';
import { rafikiUp } from '../test/support/rafiki-up.ts';
import type { Figure } from './figure.ts';
import { median } from './predict/measure.ts';

const TRIALS = 10_000;
const MAX_BYTES = 150_000;
const MAX_PAINT_MS = 1_000;
const MAX_OPEN_MS = 2_000;
const MIN_FRAMES = 30;
const SCROLL_MS = 3_000;

const figure = (
  name: string,
  value: number,
  unit: string,
  rest: Pick<Figure, 'bar' | 'ok'> & { note?: string },
): Figure => ({
  bench: 'dashboard',
  ...{ name, value, unit },
  ...rest,
});

/** The dashboard in headless Chromium: its size, its first paint, and a study of ten thousand trials. */
export async function* dashboardBench({ quick }: { quick: boolean }): AsyncIterable<Figure> {
  const bytes = compressedBytes();
  yield figure('dashboard-bytes', bytes, 'bytes', {
    bar: MAX_BYTES,
    ok: bytes <= MAX_BYTES,
    note: 'of all files, gzip',
  });
  if (chromiumPath === undefined) {
    const note = 'no Chromium: apt-get install chromium';
    yield figure('dashboard-open', Number.NaN, 'ms', { bar: MAX_OPEN_MS, ok: null, note });
    return;
  }
  const rafiki = await rafikiUp({ args: ['--workers', '1'] });
  const browser = await startChromium();
  try {
    const { username, password } = new URL(rafiki.url);
    const study = await insertManyTrials(rafiki.admin, { owner: decodeURIComponent(username), trials: TRIALS });
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(rafiki.httpUrl);
    await page.getByLabel('Postgres role').fill(decodeURIComponent(username));
    await page.getByLabel('Password').fill(decodeURIComponent(password));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    const opened: Opened[] = [];
    for (let i = 0; i < (quick ? 3 : 7); i++) opened.push(await open(page, `${rafiki.httpUrl}/studies/${study}`));
    const paint = median(opened.map(({ paintMs }) => paintMs));
    const shown = median(opened.map(({ shownMs }) => shownMs));
    yield figure('dashboard-paint', paint, 'ms', { bar: MAX_PAINT_MS, ok: paint <= MAX_PAINT_MS });
    yield figure('dashboard-open', shown, 'ms', {
      bar: MAX_OPEN_MS,
      ok: shown <= MAX_OPEN_MS,
      note: `${TRIALS} trials, all charts`,
    });
    for (const what of ['leaderboard', 'page'] as const) {
      const frames = await framesWhile(page, what);
      yield figure(`dashboard-scroll-${what}`, frames, 'frames/s', { bar: MIN_FRAMES, ok: frames >= MIN_FRAMES });
    }
  } finally {
    await browser.close();
    await rafiki.stop();
  }
}

function compressedBytes(): number {
  const built = path.resolve(import.meta.dirname, '../dist/dashboard');
  const files = readdirSync(built, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce(
    (sum, { parentPath, name }) => sum + gzipSync(readFileSync(path.join(parentPath, name))).length,
    0,
  );
}

interface Opened {
  paintMs: number;
  shownMs: number;
}

/** Until the leaderboard has rows and the charts are drawn. */
async function open(page: Page, url: string): Promise<Opened> {
  const startedMs = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.getByRole('img', { name: /by number/ }).waitFor();
  await page.getByRole('img', { name: /^Learning curves/ }).waitFor();
  await page.getByRole('img', { name: /^Parallel coordinates/ }).waitFor();
  await page.locator('.board .rows .row:nth-child(5) .state').waitFor();
  const shownMs = performance.now() - startedMs;
  const paintMs = await page.evaluate<number>(
    "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN",
  );
  return { paintMs, shownMs };
}

/** Frames a second while the leaderboard, or the page, is scrolled from its begin to its end. */
function framesWhile(page: Page, what: 'leaderboard' | 'page'): Promise<number> {
  const box = what === 'leaderboard' ? "document.querySelector('.board')" : 'document.scrollingElement';
  return page.evaluate<number>(`(async (box) => {
    const startedMs = performance.now();
    let frames = 0;
    for (let nowMs = startedMs; nowMs - startedMs < ${SCROLL_MS}; frames++) {
      nowMs = await new Promise(requestAnimationFrame);
      box.scrollTo(0, ((nowMs - startedMs) / ${SCROLL_MS}) * box.scrollHeight);
    }
    return (1000 * frames) / (performance.now() - startedMs);
  })(${box})`);
}
