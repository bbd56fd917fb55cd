/** The report of a plan as a browser shows it. Screenshots stay in build/test-results. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/planning/plan/plan.js';
import { reportHtml } from '../../src/planning/report/report-html.js';
import { HOPELESS_PLAN, LARGE_PLAN, SHORT_PLAN, STOPPED_PLAN, WHOLE_PLAN } from '../support/plan-fixture.js';
import { repositoryRoot } from '../support/server-process.js';
import { measure, startBrowser } from './browser.js';

const SCREENSHOTS = join(repositoryRoot, 'build/test-results');
const NOTHING_WRONG = { unseenMarks: [], clippedTexts: [], coveredTexts: [], smallTexts: [], faintTexts: [] };

let folder: string;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'penstock-report-test-'));
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Look {
  readonly width: number;
  readonly scheme?: 'light' | 'dark';
}

/** Opens the page of `plan`, hands it to `use`, and returns all that it asked for and said. */
async function opened(plan: Plan, { width, scheme = 'light' }: Look, use: (page: Page) => Promise<void>): Promise<string[]> {
  const address = pathToFileURL(join(folder, 'report.html')).href;
  writeFileSync(join(folder, 'report.html'), reportHtml(plan));
  const page = await browser.newPage();
  const events: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) events.push(request.url() === address ? 'the page itself' : request.url());
  });
  page.on('console', (message) => events.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => events.push(String(error)));
  try {
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(address);
    await use(page);
    return events;
  } finally {
    await page.close();
  }
}

describe('the report of a plan in a browser', () => {
  it.each([
    { width: 1280, scheme: 'light', screenshot: 'report-1280.png' },
    { width: 400, scheme: 'light', screenshot: 'report-400.png' },
    { width: 1280, scheme: 'dark', screenshot: 'report-1280-dark.png' },
    { width: 400, scheme: 'dark', screenshot: 'report-400-dark.png' },
  ] as const)('is read without a network, all of it, at $width px in $scheme', async ({ width, scheme, screenshot }) => {
    const events = await opened(WHOLE_PLAN, { width, scheme }, async (page) => {
      await page.screenshot({ path: join(SCREENSHOTS, screenshot), fullPage: true });
      const measures = await measure(page);
      expect(measures).toMatchObject({ overflowPx: 0, ...NOTHING_WRONG });
      expect(measures.plots).toHaveLength(6);
      // A step line, its planned load, and the point on it are the least.
      expect(Math.min(...measures.plots.map(({ marks }) => marks))).toBeGreaterThanOrEqual(3);
      expect(Math.min(...measures.plots.map(({ texts }) => texts))).toBeGreaterThanOrEqual(8);
    });
    expect(events).toEqual(['the page itself']);
  });

  const others = { large: LARGE_PLAN, short: SHORT_PLAN, hopeless: HOPELESS_PLAN, stopped: STOPPED_PLAN };
  const looks = Object.entries(others).flatMap(([name, plan]) => [360, 400, 700, 1119, 1120, 1280].map((width) => ({ name, plan, width })));
  it.each(looks)('keeps texts apart, in place and large enough at $width px (plan: $name)', async ({ plan, width }) => {
    const events = await opened(plan, { width, scheme: width === 400 ? 'dark' : 'light' }, async (page) => {
      expect(await measure(page)).toMatchObject({ overflowPx: 0, ...NOTHING_WRONG });
    });
    expect(events).toEqual(['the page itself']);
  });

  it('shows each plot once, the one that fits', async () => {
    for (const [width, size] of [
      [699, 'narrow'],
      [700, 'wide'],
    ] as const) {
      await opened(WHOLE_PLAN, { width }, async (page) => {
        const shown = await page.evaluate(
          '[...document.querySelectorAll("svg.plot")].filter((plot) => plot.checkVisibility()).map((plot) => plot.classList[1])',
        );
        expect(shown).toEqual(Array.from({ length: 6 }, () => size));
      });
    }
  });

  it('prints dark text on white, without empty pages', async () => {
    await opened(WHOLE_PLAN, { width: 718, scheme: 'dark' }, async (page) => {
      await page.emulateMediaType('print');
      expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(27, 31, 36)');
      const pdf = Buffer.from(await page.pdf({ format: 'A4', margin: { top: '15mm', bottom: '15mm', left: '12mm', right: '12mm' } }));
      const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0;
      expect(pages).toBeGreaterThanOrEqual(3);
      expect(pages).toBeLessThanOrEqual(6);
    });
  });

  it('runs no script of its own or of a hostile plan', async () => {
    const hostile = '</style><script>console.log("ran")</script><img src=x onerror=console.log("ran")>';
    const events = await opened(
      { ...WHOLE_PLAN, notes: [hostile], model: { ...WHOLE_PLAN.model, name: hostile } },
      { width: 1280 },
      async (page) => {
        expect(await page.$$eval('script, img', (found) => found.length)).toBe(0);
        expect(await page.title()).toContain(hostile);
      },
    );
    expect(events).toEqual(['the page itself']);
  });
});
