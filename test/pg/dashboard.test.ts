import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { axeViolations, chromiumPath, startChromium } from '../support/chromium.ts';
import { DashboardPages, heading, PATIENCE_MS } from '../support/dashboard-pages.ts';
import type { HttpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { insertManyTrials } from '../support/many-trials.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

/** Where pictures for README and docs are put: RAFIKI_SCREENSHOTS=docs/images. */
const pictures = process.env['RAFIKI_SCREENSHOTS'];
const WIDTHS = [390, 1440];
const shownTheme = 'document.documentElement.dataset.theme';

let database: TestDatabase;
let processes: RunningProcesses;
let http: TestHttp;
let browser: Browser;
let ann: HttpClient;
let annRole: string;
let bobRole: string;
let study: number;
let many: number;
let pages: DashboardPages;

const open = (options?: { width?: number; dark?: boolean }): Promise<Page> => pages.open(options);
const signIn = (page: Page, to = '/', role = annRole): Promise<void> => pages.signIn(page, to, role);

/** Whether a film is praised depends on how many of its words are kind, and a little on chance: no trial gets all right. */
const rows = (from: number, to: number): string =>
  [
    'id,label,body,stars,country',
    ...Array.from({ length: to - from }, (_, i) => {
      const n = from + i;
      const words = [0, 1, 2, 3, 4].map((w) => ((n * (w + 3) * 7919) % 101 > 50 ? 'wonderful' : 'dreadful'));
      const kind = words.filter((word) => word === 'wonderful').length;
      const label = kind + ((n * 104_729) % 7) / 7 - 0.5 > 2.5 ? 'praised' : 'panned';
      return `${n},${label},"film ${n} ${words.join(' and ')}",${kind},${['ch', 'fr', 'jp'][n % 3]}`;
    }),
  ].join('\n');

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`) });
}

describe.skipIf(chromiumPath === undefined)('the dashboard', { timeout: 600_000 }, () => {
  beforeAll(async () => {
    database = await createDatabaseWithoutRefits();
    await database.db.query('grant create on schema public to public');
    [processes, browser] = await Promise.all([startProcesses(database.service), startChromium()]);
    http = await startHttp(database);
    pages = new DashboardPages(browser, http.url);
    ({ client: ann, role: annRole } = await http.as('ann'));
    ({ role: bobRole } = await http.as('bob'));
    const csv = { 'content-type': 'text/csv' };
    expect((await ann('POST', '/v1/datasets/films', rows(0, 400), csv)).status).toBe(201);
    expect((await ann('POST', '/v1/datasets/unseen_films', rows(400, 520), csv)).status).toBe(201);
    many = await insertManyTrials(database.db, { owner: annRole, trials: 10_000 });
  });
  afterAll(async () => {
    await browser?.close();
    await http?.server.stop();
    await processes?.stop();
    await database?.drop();
  });
  afterEach(async () => {
    expect(await pages.close()).toEqual([]);
  });

  test('a wrong password is told, the right one lets in, and no script sees the cookie', async () => {
    const page = await open();
    await page.goto(http.url);
    await page.getByLabel('Postgres role').fill(annRole);
    await page.getByLabel('Password').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'Role or password is wrong' }).waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await signIn(page);
    await heading(page, 'Studies');
    const seen = await page.evaluate<string>(
      'JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }])',
    );
    expect(seen).not.toMatch(/rafiki_session|secret/);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ name: 'rafiki_session', httpOnly: true, sameSite: 'Strict' });
    await page.reload();
    await heading(page, 'Studies');
  });

  test('a study is followed while it runs, from the list to its end', async () => {
    const page = await open();
    await signIn(page);
    const created = await ann<{ study: number }>('POST', '/v1/studies', {
      ...{ task: 'text_classification', source: 'films', target: 'label', features: ['body'], model: 'film reviews' },
      ...{ families: ['fasttext'], max_trials: 5, max_time: '4 min', seed: 3 },
    });
    expect(created.status).toBe(201);
    study = created.body.study;
    const row = page.getByRole('row', { name: /film reviews/ });
    await row.getByText('running').waitFor();
    const [tab] = await Promise.all([
      page.context().waitForEvent('page'),
      row.getByRole('link').click({ modifiers: ['ControlOrMeta'] }),
    ]);
    await heading(tab, /^Study/);
    await tab.close();
    await heading(page, 'Studies');
    await row.getByRole('link').click();
    await heading(page, /^Study/);
    await page.goBack();
    await heading(page, 'Studies');
    await row.getByText('film reviews').click();
    await heading(page, `Study ${study}: film reviews`);
    await page.getByText('live', { exact: true }).waitFor();
    await page
      .getByRole('row', { name: /fasttext/ })
      .first()
      .waitFor();
    await page.locator('.page-head').getByText('completed', { exact: true }).waitFor({ timeout: 180_000 });
    const { done } = (await ann<{ done: number }>('GET', `/v1/studies/${study}`)).body;
    expect(done).toBeGreaterThan(1);
    await page.getByText(`${done} / 5`).waitFor();
    const best = new RegExp(`^accuracy of ${done} trials by number; the best so far is 0\\.\\d+$`);
    await page.getByRole('img', { name: best }).waitFor();
    await page.getByRole('img', { name: new RegExp(`^Learning curves of ${done} trials`) }).waitFor();
    await page.getByRole('img', { name: new RegExp(`^Parallel coordinates of ${done} trials`) }).waitFor();
    await page.getByRole('img', { name: /trials on 1 workers/ }).waitFor();
  });

  test('a study is paused, resumed and cancelled, and asks first', async () => {
    const created = await ann<{ study: number }>('POST', '/v1/studies', {
      ...{ task: 'text_classification', source: 'films', target: 'label', features: ['body'], model: 'never' },
      ...{ families: ['temporal_cnn'], max_trials: 200, max_time: '30 min' },
    });
    const page = await open();
    await signIn(page, `/studies/${created.body.study}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('(paused)').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await page.getByRole('button', { name: 'More time' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'More time' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    const [{ time } = {}] = await database.db.query<{ time: string }>(
      `select max_time::text as time from rafiki.study where model = 'never'`,
    );
    expect(time).toBe('00:40:00');
    await page.getByRole('button', { name: 'Cancel study' }).click();
    await page.keyboard.press('Escape');
    expect((await ann('GET', `/v1/studies/${created.body.study}`)).body['state']).not.toBe('cancelled');
    await page.getByRole('button', { name: 'Cancel study' }).click();
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel study' }).click();
    await page.locator('.page-head').getByText('cancelled', { exact: true }).waitFor({ timeout: PATIENCE_MS });
  });

  test('a model is tried, explained, measured, undeployed and deployed', async () => {
    const page = await open();
    await signIn(page, '/models/film%20reviews');
    await heading(page, 'film reviews');
    await page.getByLabel('A text').fill('a wonderful and wonderful and wonderful film');
    await page.getByRole('button', { name: 'Predict' }).click();
    await page
      .getByText(/^praised$/)
      .first()
      .waitFor();
    await page.getByRole('list', { name: 'Probabilities' }).waitFor();
    await page.getByRole('button', { name: 'Explain this answer' }).click();
    await page.getByRole('list', { name: 'Contributions' }).waitFor();
    const labelled = page.getByLabel('Labelled rows that it has not seen');
    expect(await labelled.inputValue()).toBe('');
    await labelled.selectOption('public.films');
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByText(/^It was trained on \d+ of these 400 rows\.$/).waitFor({ timeout: PATIENCE_MS });
    await labelled.selectOption('public.unseen_films');
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByText('It was trained on').waitFor({ state: 'detached' });
    await page.getByRole('region', { name: 'Confusion matrix' }).last().waitFor({ timeout: PATIENCE_MS });
    await page.getByRole('img', { name: /^Calibration\./ }).waitFor();
    await page.getByRole('region', { name: 'Mistakes' }).waitFor();
    expect(await axeViolations(page)).toEqual([]);
    const statements = await page.locator('.sql code').allTextContents();
    expect(statements).toHaveLength(3);
    const session = await database.as('ann');
    for (const statement of statements) expect((await session.query(statement)).length).toBeGreaterThan(0);
    await page.getByRole('heading', { name: 'Try it' }).scrollIntoViewIfNeeded();
    await picture(page, 'model');
    await page.route('**/file', (route) =>
      route.fulfill({ status: 403, json: { error: { code: '42501', message: 'the file is refused' } } }),
    );
    await page.getByRole('button', { name: 'ONNX file' }).click();
    await page.getByRole('alert').filter({ hasText: 'The file is refused' }).waitFor();
    await page.getByRole('button', { name: 'Undeploy' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Undeploy' }).click();
    await page.getByText('No version is deployed').waitFor();
    await page.getByRole('button', { name: 'Deploy v1' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Deploy v1' }).click();
    await page.getByLabel('A text').waitFor({ timeout: PATIENCE_MS });
  });

  test('a role that was granted a model sees nothing that it may not do', async () => {
    const given = await ann('POST', '/v1/models/film%20reviews/grants', { role: bobRole });
    expect(given.status).toBe(201);
    const page = await open();
    await signIn(page, '/models/film%20reviews', bobRole);
    await page.getByLabel('A text').waitFor();
    const versions = page.getByRole('region', { name: 'Versions' }).first();
    await versions
      .getByText(/fasttext/)
      .first()
      .waitFor();
    expect(await versions.getByRole('button').count()).toBe(0);
    expect(await versions.getByRole('link').count()).toBe(0);
  });

  test('what fails is told, asked for again, and not taken for nothing', async () => {
    const page = await open();
    let isAway = true;
    const away = (what: string) =>
      page.route(what, (route) =>
        isAway ? route.fulfill({ status: 503, json: { detail: 'a proxy' } }) : route.continue(),
      );
    await away('**/history?*');
    await away('**/utilisation');
    await away('**/trials?*');
    await signIn(page, `/studies/${study}`);
    await page.getByRole('alert').filter({ hasText: 'The server answered 503' }).waitFor();
    await page.getByText('– · –', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    isAway = false;
    await page.getByRole('img', { name: /by number/ }).waitFor();
    await page
      .getByRole('grid')
      .getByRole('row', { name: /fasttext/ })
      .first()
      .waitFor();
    await page.unroute('**/history?*');
    isAway = true;
    await page.reload();
    const board = page.getByRole('region', { name: 'Leaderboard' }).first();
    await board.getByRole('alert').filter({ hasText: 'The server answered 503' }).waitFor();
    isAway = false;
    await board.getByRole('button', { name: 'Try again' }).click();
    await board
      .getByRole('row', { name: /fasttext/ })
      .first()
      .waitFor();
    isAway = true;
    await page.goto(`${http.url}/workers`);
    await page.getByRole('alert').filter({ hasText: 'The server answered 503' }).waitFor();
    const worker = page.getByRole('row').filter({ has: page.getByRole('cell', { name: 'worker', exact: true }) });
    expect(await worker.getByText('0 %').count()).toBe(0);
    isAway = false;
    await worker.getByText(/\d %/).waitFor();
  });

  test('ten thousand trials are shown, and the leaderboard reaches the last', async () => {
    const page = await open();
    await signIn(page, `/studies/${many}`);
    await page.getByRole('img', { name: /of 10000 trials by number/ }).waitFor({ timeout: PATIENCE_MS });
    await page
      .getByText(/ of 9,800: the best/)
      .first()
      .waitFor({ timeout: PATIENCE_MS });
    const board = page.getByRole('grid');
    await board.getByRole('row').nth(5).waitFor();
    expect(await board.getAttribute('aria-rowcount')).toBe('10001');
    expect(await board.getByRole('row').count()).toBeLessThan(60);
    await page.evaluate("document.querySelector('[role=grid]').scrollTo(0, 1e9)");
    await board.locator('[aria-rowindex="10001"]').getByText('failed').waitFor({ timeout: PATIENCE_MS });
    await board.focus();
    await page.keyboard.press('ArrowDown');
    const chosen = board.locator('[aria-selected="true"]');
    await chosen.waitFor();
    expect(await board.getAttribute('aria-activedescendant')).toBe(await chosen.getAttribute('id'));
    const chosenAfter = async (key: string) => {
      await page.keyboard.press(key);
      return chosen.getAttribute('aria-rowindex');
    };
    await expect.poll(() => chosenAfter('PageDown')).toBe('10001');
    expect([await chosenAfter('ArrowDown'), await chosenAfter('ArrowDown')]).toEqual(['10001', '10001']);
    await page.getByRole('region', { name: 'Chosen trial' }).getByText('learning_rate').waitFor();
    expect(await axeViolations(page)).toEqual([]);
  });

  describe.each(['light', 'dark'] as const)('%s', (theme) => {
    test.each(WIDTHS)('at %i pixels every page is whole, and axe finds nothing', async (width) => {
      const page = await open({ width, dark: theme === 'dark' });
      await page.goto(http.url);
      expect(await axeViolations(page)).toEqual([]);
      await signIn(page);
      const places = [
        ['/', 'Studies'],
        [`/studies/${study}`, `Study ${study}: film reviews`],
        ['/studies/999999', 'Study 999999'],
        ['/models', 'Models'],
        ['/models/film%20reviews', 'film reviews'],
        ['/models/nothing', 'nothing'],
        ['/serving', 'Serving'],
        ['/workers', 'Workers'],
      ] as const;
      for (const [place, name] of places) {
        await page.goto(`${http.url}${place}`);
        await heading(page, name);
        await page.waitForLoadState('load');
        await expect.poll(() => page.locator('.loading').count()).toBe(0);
        expect([place, await axeViolations(page)]).toEqual([place, []]);
        const isWhole = 'document.documentElement.scrollWidth <= document.documentElement.clientWidth';
        expect([place, await page.evaluate<boolean>(isWhole)]).toEqual([place, true]);
        expect(await page.evaluate<string>(shownTheme)).toBe(theme);
        const file = place.replaceAll(/\W+/g, ' ').trim().split(' ')[0] || 'studies';
        if (!/nothing|9999/.test(place))
          await picture(page, `${place.startsWith('/studies/') ? 'study' : file}-${theme}-${width}`);
      }
    });
  });

  test('the theme is switched, and stays', async () => {
    const page = await open();
    await signIn(page);
    const theme = () => page.evaluate<string>(shownTheme);
    await page.getByRole('button', { name: /^Theme: system/ }).click();
    await page.getByRole('button', { name: /^Theme: light/ }).click();
    expect(await theme()).toBe('dark');
    await page.reload();
    await heading(page, 'Studies');
    expect(await theme()).toBe('dark');
  });

  test('a session that ends says so, and signing out does', async () => {
    const page = await open();
    await signIn(page, '/models');
    await page.getByText('film reviews').first().waitFor(); // a request that is still to be sent would end the page before the click
    await page.context().clearCookies();
    await page.getByRole('link', { name: 'Workers' }).click();
    await page.getByText('Your session has ended').waitFor();
    await signIn(page, '/workers');
    await heading(page, 'Workers');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to Rafiki' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Sign in to Rafiki' }).waitFor();
  });

  test('another tab signs out, and another role in: nothing of the role before stays', async () => {
    const page = await open();
    await signIn(page, '/models');
    await page.getByText('film reviews').first().waitFor();
    const other = await page.context().newPage();
    other.setDefaultTimeout(PATIENCE_MS);
    await other.goto(`${http.url}/workers`);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You have signed out in another tab.').waitFor();
    expect(await page.getByText('film reviews').count()).toBe(0);
    await signIn(other, '/studies', bobRole);
    await page.locator('.who').getByText(bobRole).waitFor();
    await heading(page, 'Models');
    expect(await page.locator('.who').getByText(annRole).count()).toBe(0);
  });

  test('a path that is no page is told by a page, and to clients as before', async () => {
    const page = await open();
    await signIn(page, '/nowhere');
    await page.getByText('There is no such page.').waitFor();
    await page.goto(`${http.url}/studies/`);
    await heading(page, 'Studies');
    const client = await fetch(`${http.url}/nowhere`);
    expect([client.status, client.headers.get('content-type')]).toEqual([404, 'application/json; charset=utf-8']);
    const api = await fetch(`${http.url}/v1/nowhere`, { headers: { accept: 'text/html' } });
    expect(api.headers.get('content-type')).toBe('application/json; charset=utf-8');
  });

  test('a server that is away is told, with what to do', async () => {
    const page = await open();
    await signIn(page, '/workers');
    await page.context().setOffline(true);
    await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor({ timeout: PATIENCE_MS });
    await page.context().setOffline(false);
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  });
});

test('all files together have at most 150 kB, compressed', () => {
  const built = path.resolve(import.meta.dirname, '../../dist/dashboard');
  const files = readdirSync(built, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map(({ parentPath, name }) => gzipSync(readFileSync(path.join(parentPath, name))).length);
  expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(150_000);
});
