/** From the text of an option to its value. */
import type { OptionRow } from './options.js';

export type OptionValue = string | number | boolean | readonly string[];

/** Either a value, or what was expected instead. */
export type Parsed = { readonly value: OptionValue } | { readonly expected: string };

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);

const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

export function isBooleanText(text: string): boolean {
  return TRUE.has(text.toLowerCase()) || FALSE.has(text.toLowerCase());
}

/** `texts` has one element, except for options that may be given several times. */
export function parseOption(row: OptionRow, texts: readonly string[]): Parsed {
  const text = texts.at(-1) ?? '';
  switch (row.type) {
    case 'text':
    case 'path':
      return { value: text };
    case 'paths':
      return texts.length > 0 && texts.every((path) => path !== '') ? { value: texts } : { expected: 'the path of a folder' };
    case 'boolean':
      if (TRUE.has(text.toLowerCase())) return { value: true };
      return FALSE.has(text.toLowerCase()) ? { value: false } : { expected: 'true or false' };
    case 'choice':
      return row.choices?.includes(text) ? { value: text } : { expected: `one of ${row.choices?.join(', ')}` };
    case 'port':
      return parseNumber(text, /^\d+$/, 0, 65_535, 'a port from 0 (any free one) to 65535');
    case 'count':
      return parseBounded(row, text, 'a whole number');
    case 'decimal': {
      const [min, max] = [row.min ?? 0, row.max ?? Number.MAX_SAFE_INTEGER];
      return parseNumber(text, /^\d+(\.\d+)?$/, min, max, `a number from ${min} to ${max}, fractions allowed`);
    }
    case 'milliseconds':
      return parseBounded(row, text, 'whole milliseconds');
    case 'seconds':
      return parseNumber(text, /^\d+(\.\d+)?$/, 0, 86_400, 'seconds from 0 to 86400, fractions allowed');
    case 'bytes':
      return parseBytes(row, text);
  }
}

function parseBounded(row: OptionRow, text: string, what: string): Parsed {
  const min = row.min ?? 0;
  // Timers of Node count in 32 bits.
  const max = row.max ?? (row.type === 'milliseconds' ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER);
  return parseNumber(text, /^\d+$/, min, max, `${what} from ${min} to ${max}`);
}

function parseNumber(text: string, form: RegExp, min: number, max: number, expected: string): Parsed {
  const value = Number(text);
  return form.test(text) && value >= min && value <= max ? { value } : { expected };
}

function parseBytes(row: OptionRow, text: string): Parsed {
  const min = row.min ?? 0;
  const max = row.max ?? Number.MAX_SAFE_INTEGER;
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kmg])i(?:b)?)?$/i.exec(text) ?? [];
  const value = Number(digits) * (BYTE_UNITS[unit.toLowerCase()] ?? NaN);
  if (digits !== '' && Number.isSafeInteger(value) && value >= min && value <= max) return { value };
  return { expected: `bytes from ${min} to ${max}, such as 1048576, 512KiB, 64MiB or 1GiB` };
}
