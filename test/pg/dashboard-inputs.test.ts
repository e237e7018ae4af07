import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { axeViolations, chromiumPath, startChromium } from '../support/chromium.ts';
import { DashboardPages, heading, PATIENCE_MS } from '../support/dashboard-pages.ts';
import type { HttpClient } from '../support/http-client.ts';
import { startHttp, type TestHttp } from '../support/http-server.ts';
import { insertManyTrials } from '../support/many-trials.ts';
import { createDatabaseWithoutRefits, type TestDatabase } from '../support/postgres.ts';
import { fruit, hasRealImages, photographs } from '../support/real-images.ts';
import { type RunningProcesses, startProcesses } from '../support/running.ts';

let database: TestDatabase;
let processes: RunningProcesses;
let http: TestHttp;
let browser: Browser;
let pages: DashboardPages;
let ann: HttpClient;
let annRole: string;

/** Names that would do harm where they are not quoted. */
const hostileModel = `O'Neil "<img src=x onerror=document.title='harm'>" v1`;
const hostileTable = `Buyers' <b>"list"</b>`;
const quoted = `public."${hostileTable.replaceAll('"', '""')}"`;
const bytesOf = (hex: string): Buffer => Buffer.from(hex.slice(2), 'hex');

async function trained(body: Record<string, unknown>): Promise<number> {
  const made = await ann<{ study: number }>('POST', '/v1/studies', {
    ...{ max_trials: 1, max_time: '3 min', seed: 3, ...body },
  });
  expect([made.status, made.body]).toMatchObject([201, { study: expect.any(Number) }]);
  const state = async () => (await ann<{ state: string }>('GET', `/v1/studies/${made.body.study}`)).body.state;
  await expect.poll(state, { timeout: 240_000, interval: 500 }).not.toMatch(/queued|running/);
  return made.body.study;
}

describe.skipIf(chromiumPath === undefined)('the dashboard', { timeout: 600_000 }, () => {
  beforeAll(async () => {
    database = await createDatabaseWithoutRefits();
    await database.db.query('grant create on schema public to public');
    [processes, browser] = await Promise.all([startProcesses(database.service), startChromium()]);
    http = await startHttp(database);
    pages = new DashboardPages(browser, http.url);
    ({ client: ann, role: annRole } = await http.as('ann'));
    const session = await database.as('ann');
    await session.query(
      `create table ${quoted} as
       select 20 + i * 7 % 50 as "Order", i % 3 = 0 as "it's <i>", (array['Bern', 'Chur'])[1 + i % 2] as city,
         timestamp '2026-01-01' + i * interval '1 day' as at, case when i * 7 % 50 > 25 then '<b>yes</b>' else 'no''s' end as "user"
       from generate_series(1, 240) i`,
    );
  });
  afterAll(async () => {
    await browser?.close();
    await http?.server.stop();
    await processes?.stop();
    await database?.drop();
  });
  afterEach(async () => expect(await pages.close()).toEqual([]));

  test('a role without studies is told how to begin', async () => {
    const { role } = await http.as('newcomer');
    const page = await pages.open();
    await pages.signIn(page, '/', role);
    await page.getByText('No study yet.').waitFor();
    await page.getByRole('link', { name: 'Models' }).click();
    await page.getByText('No model yet.').waitFor();
  });

  test('a study that failed says why', async () => {
    const study = await insertManyTrials(database.db, { owner: annRole, trials: 20 });
    const error = {
      sqlstate: '42P01',
      message: 'public.<b>rows</b> does not exist',
      hint: 'Create it, and train again.',
    };
    await database.db.query(`update rafiki.study set state = 'failed', error = $2 where id = $1`, [
      study,
      JSON.stringify(error),
    ]);
    const page = await pages.open();
    await pages.signIn(page, `/studies/${study}`, annRole);
    await page.locator('.page-head').getByText('failed', { exact: true }).waitFor();
    const told = page.getByRole('alert');
    await told.getByText('public.<b>rows</b> does not exist', { exact: true }).waitFor();
    await told.getByText('Create it, and train again.').waitFor();
    await page.getByRole('grid').getByRole('row').nth(1).waitFor();
    expect(await axeViolations(page)).toEqual([]);
  });

  test('a model of columns is tried and measured, its names are text, and its statements run', async () => {
    const study = await trained({
      ...{ task: 'tabular_classification', source: quoted, target: 'user', model: hostileModel },
      ...{ families: ['gradient_boosting'], knobs: { epochs: 5 } },
    });
    const page = await pages.open();
    await pages.signIn(page, '/models', annRole);
    await page.getByRole('link', { name: hostileModel }).click();
    await heading(page, hostileModel);
    await page.getByLabel('Order', { exact: true }).fill('44');
    await page.getByLabel("it's <i>").selectOption('true');
    await page.getByLabel('city').fill('Bern');
    await page.getByRole('button', { name: 'Predict' }).click();
    await page.getByRole('list', { name: 'Probabilities' }).getByText('<b>yes</b>').waitFor();
    await page.getByRole('button', { name: 'Explain this answer' }).click();
    await page.getByRole('list', { name: 'Contributions' }).getByText('Order = 44').waitFor();
    await page.getByLabel('Labelled rows that it has not seen').selectOption(quoted);
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByRole('region', { name: 'Confusion matrix' }).last().getByText('<b>yes</b>').first().waitFor();
    expect(await axeViolations(page)).toEqual([]);
    const statements = await page.locator('.sql code').allTextContents();
    expect(statements).toHaveLength(4);
    const session = await database.as('ann');
    for (const statement of statements)
      expect([statement, (await session.query(statement)).length]).not.toEqual([statement, 0]);
    await page.goto(`${http.url}/studies/${study}`);
    await heading(page, `Study ${study}: ${hostileModel}`);
    await page.getByRole('grid').getByRole('row').nth(1).waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).not.toBe('harm');
  });

  test('a model of numbers shows predicted against actual ones', async () => {
    await trained({
      ...{ task: 'tabular_regression', source: quoted, target: 'Order', features: ['city', 'at', 'user'] },
      ...{ model: 'orders', families: ['linear'], knobs: { epochs: 10 } },
    });
    const page = await pages.open({ width: 390 });
    await pages.signIn(page, '/models/orders', annRole);
    await page.getByLabel('city').fill('Chur');
    await page.getByRole('button', { name: 'Predict' }).click();
    await page.getByText('by version 1').waitFor();
    await page.getByLabel('Labelled rows that it has not seen').selectOption(quoted);
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByRole('img', { name: /^Predicted by actual number of 2\d\d rows/ }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')).toBe(
      true,
    );
  });

  describe.skipIf(!hasRealImages)('of images', () => {
    test('a photo is classified and explained, and mistakes are shown', async () => {
      const photos = photographs(['cat', 'ship'], 60);
      const session = await database.as('ann');
      await session.query('create table photos (truth text, "Photo of it" bytea)');
      for (const [label, image] of photos)
        await session.query('insert into photos values ($1, $2::text::bytea)', [label, image]);
      await trained({
        ...{ task: 'image_classification', source: 'photos', target: 'truth', model: 'photos' },
        ...{ families: ['squeezenet'], knobs: { width: 16, epochs: 5 } },
      });
      const page = await pages.open();
      await pages.signIn(page, '/models/photos', annRole);
      const [, image] = photos[0] as [string, string];
      await page.getByLabel(/A photo/).setInputFiles({ name: 'a.jpg', mimeType: 'image/jpeg', buffer: bytesOf(image) });
      await page.getByRole('list', { name: 'Probabilities' }).waitFor();
      await page.getByRole('button', { name: 'Explain this answer' }).click();
      await page.getByRole('list', { name: 'Contributions' }).waitFor({ timeout: PATIENCE_MS });
      expect(await page.locator('.photo svg rect').count()).toBeGreaterThan(1);
      const statements = await page.locator('.sql code').allTextContents();
      for (const statement of statements)
        expect([statement, (await session.query(statement)).length]).not.toEqual([statement, 0]);
      await page.getByLabel('Labelled rows that it has not seen').selectOption('public.photos');
      await page.getByRole('button', { name: 'Measure' }).click();
      await page.getByRole('region', { name: 'Confusion matrix' }).last().waitFor();
      await page.getByRole('heading', { name: 'What it gets wrong' }).waitFor();
      expect(await axeViolations(page)).toEqual([]);
    });

    test('objects are drawn where they were found', async () => {
      const session = await database.as('ann');
      const shelf = fruit(8);
      await session.query('create table shelf (boxes jsonb, image bytea)');
      for (const [boxes, image] of shelf)
        await session.query('insert into shelf values ($1, $2::text::bytea)', [boxes, image]);
      await trained({
        ...{ task: 'object_detection', source: 'shelf', model: 'shelf' },
        ...{ families: ['yolo'], knobs: { width: 16, side: 96, epochs: 5 }, max_time: '20 s' },
      });
      const page = await pages.open();
      await pages.signIn(page, '/models/shelf', annRole);
      const [, image] = shelf[0] as [string, string];
      await page.getByLabel(/A photo/).setInputFiles({ name: 'a.jpg', mimeType: 'image/jpeg', buffer: bytesOf(image) });
      await page.getByText('Objects', { exact: true }).waitFor();
      const least = page.getByRole('slider');
      await least.fill('0.05');
      await page.getByText(/^Shown from a score of 0\.05/).waitFor();
      expect(await page.getByRole('button', { name: 'Explain this answer' }).count()).toBe(0);
      const statements = await page.locator('.sql code').allTextContents();
      for (const statement of statements) await session.query(statement);
    });
  });
});
