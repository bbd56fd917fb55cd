/** A real browser without a window, for pages that lie on disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { repositoryRoot } from '../support/server-process.js';

const { findBrowser, browserTestsMissing } = (await import(pathToFileURL(join(repositoryRoot, 'scripts/browser.mjs')).href)) as {
  findBrowser: () => string | undefined;
  browserTestsMissing: () => string | undefined;
};

/** Its sandbox needs another user than root. */
const SANDBOX = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

export async function startBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error(`there is no ${browserTestsMissing()}`);
  return puppeteer.launch({ executablePath, args: [...SANDBOX, '--disable-dev-shm-usage', '--hide-scrollbars'] });
}

/** What in-page.js finds; each list names what is wrong. */
export interface Measures {
  /** CSS pixels that the page is wider than the window. */
  readonly overflowPx: number;
  /** Of those that are shown. */
  readonly plots: readonly { readonly name: string; readonly marks: number; readonly texts: number }[];
  readonly unseenMarks: readonly string[];
  readonly clippedTexts: readonly string[];
  readonly coveredTexts: readonly string[];
  readonly smallTexts: readonly string[];
  readonly faintTexts: readonly string[];
}

const MEASURE = readFileSync(new URL('in-page.js', import.meta.url), 'utf8');

/** Opens all tables, and the window for the whole page: only what is in it can be asked for what lies behind. */
export async function measure(page: Page): Promise<Measures> {
  const width = page.viewport()?.width ?? 0;
  const height = (await page.evaluate(
    'for (const part of document.querySelectorAll("details")) part.open = true; document.documentElement.scrollHeight',
  )) as number;
  await page.setViewport({ width, height });
  return (await page.evaluate(MEASURE)) as Measures;
}
