/** The browser that opens reports in tests: Chromium, or another of its family. */
import { installHint } from './prerequisites.mjs';
import { findProgram } from './processes.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Its path; undefined when there is none. */
export function findBrowser() {
  return NAMES.map(findProgram).find((file) => file !== undefined);
}

export function browserTestsMissing() {
  const packages = { debian: 'chromium', fedora: 'chromium', macos: '--cask chromium' };
  return findBrowser() === undefined ? `a browser of the family of Chromium: ${installHint(packages)}` : undefined;
}
