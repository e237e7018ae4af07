import type { Browser, BrowserContext, Page } from 'playwright-core';

/** The machine may be busy: a page that is there is not waited for any longer. */
export const PATIENCE_MS = 120_000;

/** Pages of the dashboard, each in a browser of its own kind, and what went wrong in them. */
export class DashboardPages {
  readonly #browser: Browser;
  readonly #url: string;
  readonly #contexts: BrowserContext[] = [];
  readonly #faults: string[] = [];

  constructor(browser: Browser, url: string) {
    this.#browser = browser;
    this.#url = url;
  }

  async open({ width = 1440, dark = false }: { width?: number; dark?: boolean } = {}): Promise<Page> {
    const colorScheme = dark ? 'dark' : 'light';
    const context = await this.#browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => this.#faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && /Content Security Policy|Refused to/.test(message.text()))
        this.#faults.push(message.text());
    });
    return page;
  }

  async signIn(page: Page, to: string, role: string): Promise<void> {
    await page.goto(`${this.#url}${to}`);
    await page.getByLabel('Postgres role').fill(role);
    await page.getByLabel('Password').fill('secret');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  }

  /** Closes all; what scripts threw, and what the policy of the pages refused. */
  async close(): Promise<string[]> {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
    return this.#faults.splice(0);
  }
}

export const heading = (page: Page, name: string | RegExp): Promise<void> =>
  page.getByRole('heading', { level: 1, name }).waitFor();
