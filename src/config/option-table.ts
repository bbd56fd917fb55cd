/** The table of options as text, for --help. */
import { OPTION_ROWS, variableOf, type OptionRow } from './options.js';

const PLACEHOLDERS: Readonly<Record<OptionRow['type'], string>> = {
  text: 'TEXT',
  path: 'PATH',
  paths: 'PATH',
  boolean: 'true|false',
  choice: '',
  count: 'N',
  decimal: 'X.Y',
  port: 'PORT',
  bytes: 'BYTES',
  milliseconds: 'MS',
  seconds: 'SECONDS',
};

/** `  --flag VALUE` and two lines of meaning for each option. */
export function optionsHelp(): string {
  return OPTION_ROWS.map(([, row]) => {
    const placeholder = row.choices?.join('|') ?? PLACEHOLDERS[row.type];
    const facts = [
      row.zero === undefined ? '' : `${zeroName(row)} = ${row.zero}`,
      `default: ${defaultText(row) || 'none'}`,
      variableOf(row),
    ];
    return `  --${row.flag} ${placeholder}\n      ${row.description}\n      [${facts.filter((fact) => fact !== '').join('; ')}]`;
  }).join('\n');
}

function zeroName(row: OptionRow): string {
  return typeof row.default === 'string' ? 'empty' : '0';
}

function defaultText(row: OptionRow): string {
  if (row.type === 'bytes' && typeof row.default === 'number') {
    const mebibytes = row.default / 1024 ** 2;
    return mebibytes >= 1024 ? `${mebibytes / 1024}GiB` : `${mebibytes}MiB`;
  }
  return typeof row.default === 'object' ? row.default.join(':') : String(row.default);
}
