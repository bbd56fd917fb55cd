/** Figures with a unit, as people write them behind a flag: 20ms, 4m, 2000/s. */

const MILLISECONDS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };

/** Milliseconds; undefined for what is none of `units`, such as ['ms', 's']. */
export function readDuration(text: string, units: readonly string[]): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([a-z]+)$/.exec(text) ?? [];
  const factor = units.includes(unit) ? MILLISECONDS[unit] : undefined;
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** Per second, from 2000/s, 90000/min or 1e6/h; undefined for anything else. */
export function readRate(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?(?:e\d+)?) ?\/ ?(s|min|h)$/.exec(text) ?? [];
  const seconds = SECONDS[unit];
  return seconds === undefined ? undefined : Number(digits) / seconds;
}
