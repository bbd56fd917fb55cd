/** Figures as a reader sees them. What is no finite number is a dash. */
import type { Estimate } from '../estimate.js';

const UNKNOWN = '–';

const grouped = (digits: number): Intl.NumberFormat => new Intl.NumberFormat('en', { maximumSignificantDigits: digits });
const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const TWO = grouped(2);
const THREE = grouped(3);
const PLACES = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SHORTEST = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 2 });
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** Three digits, or all before the point. */
export function numberText(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  return Math.abs(value) >= 100 ? WHOLE.format(value) : THREE.format(value);
}

/** For places that hold five characters: 1,230, 12.3K. */
export function shortText(value: number): string {
  return Number.isFinite(value) && Math.abs(value) >= 10_000 ? SHORT.format(value) : numberText(value);
}

export const msText = (value: number | null): string => (isKnown(value) ? `${numberText(value)} ms` : UNKNOWN);
/** For places that hold four: 950, 1.2K, 12K. */
export function shortestText(value: number): string {
  return Number.isFinite(value) && Math.abs(value) >= 1000 ? SHORTEST.format(value) : shortText(value);
}

/** Without marks between thousands: what is no amount. */
export const plainText = (value: number): string => (Number.isFinite(value) ? String(value) : UNKNOWN);
/** Requests per second. */
export const rateText = (value: number | null): string => (isKnown(value) ? `${numberText(value)}/s` : UNKNOWN);
export const percentText = (share: number | null): string => (isKnown(share) ? `${TWO.format(100 * share)} %` : UNKNOWN);
export const intervalText = ({ low, high }: Estimate): string => `${numberText(low)} to ${numberText(high)}`;
/** Such as 12.34 EUR; more places below 0.1, none from 1,000 on. */
export function moneyText(value: number | null, currency: string): string {
  if (!isKnown(value)) return UNKNOWN;
  const size = Math.abs(value);
  const amount = size >= 1000 ? WHOLE : size !== 0 && size < 0.1 ? THREE : PLACES;
  return `${amount.format(value)} ${currency}`;
}

export function countText(count: number, one: string, many = `${one}s`): string {
  const text = numberText(count);
  return `${text} ${text === '1' ? one : many}`;
}

export function delayText(us: number | null): string {
  return us === null ? 'adaptive' : `${numberText(us)} us`;
}

export function isKnown(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
