/** The table of options as text: for --help and for the README. */
import { OPTION_ROWS, variableOf, type OptionRow } from './options.js';

const UNITS: Readonly<Partial<Record<OptionRow['type'], string>>> = {
  bytes: 'bytes, or with KiB, MiB, GiB',
  milliseconds: 'ms',
  seconds: 's',
};

const PLACEHOLDERS: Readonly<Record<OptionRow['type'], string>> = {
  text: 'TEXT',
  path: 'PATH',
  paths: 'PATH',
  boolean: 'true|false',
  choice: '',
  count: 'N',
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

/** A Markdown table; a test keeps the README equal to it. */
export function optionsMarkdown(): string {
  const lines = OPTION_ROWS.map(([, row]) => {
    const meaning = [row.description, UNITS[row.type] ?? '', row.zero === undefined ? '' : `${zeroName(row)} = ${row.zero}`];
    const triton = row.triton === null ? '' : `\`--${row.triton}\``;
    const fallback = defaultText(row) === '' ? '' : `\`${defaultText(row)}\``;
    return `| \`--${row.flag}\` | \`${variableOf(row)}\` | ${fallback} | ${meaning.filter((part) => part !== '').join('; ')} | ${triton} |`;
  });
  return ['| flag and YAML key | variable | default | meaning | Triton |', '| --- | --- | --- | --- | --- |', ...lines].join('\n');
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
