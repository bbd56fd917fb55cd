/** The flags of `penstock pull`. Few, and of one command, so they are no options of the server and have no place in its table. */
import { isAbsolute, normalize } from 'node:path';
import { OptionsError } from './load.js';
import { nearestName } from './nearest-name.js';
import { parseOption } from './option-value.js';
import type { OptionRow } from './options.js';

export interface PullOptions {
  /** `https:` or `file:`; without user and password. */
  readonly source: URL;
  /** The folder that the user named. */
  readonly directory: string;
  /** Below `directory`: the path of the file, or for an archive of the folder that takes its entries ("." = `directory` itself). */
  readonly target: string;
  /** A tar archive that is unpacked, by the name that the source has. */
  readonly isArchive: boolean;
  /** 64 hexadecimal digits, small letters; null = the user waived the check. */
  readonly sha256: string | null;
  /** Largest download, and largest sum of the files of an archive. 0 = no limit but the free space. */
  readonly maxBytes: number;
  /** How often the source is asked before the command gives up, at least once. */
  readonly attempts: number;
  /** Without a byte for this long an attempt has failed. */
  readonly stallTimeoutMs: number;
  /** Value of the header Authorization for the host of `source`, and for no other. Empty = none. */
  readonly authorization: string;
  /** What `https:` goes through; null = nothing. */
  readonly proxy: ProxyOptions | null;
}

export interface ProxyOptions {
  /** `http:`. */
  readonly address: URL;
  /** Decoded; both empty = it asks for none. */
  readonly user: string;
  readonly password: string;
  /** Hosts that are reached without it, with all whose names end in "." and one of these; small letters. "*" = every host. */
  readonly exempt: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;
type PullFlag = Pick<OptionRow, 'type' | 'default' | 'description'> & { readonly placeholder: string; readonly min?: number };

const FLAGS = {
  checksum: { type: 'text', default: '', placeholder: 'sha256:HEX', description: 'what the pulled bytes must hash to' },
  'no-checksum': { type: 'boolean', default: false, placeholder: '', description: 'takes whatever the source gives, each time anew' },
  as: {
    type: 'text',
    default: '',
    placeholder: 'PATH',
    description: 'path below DIR: of the file, or of the folder that an archive fills',
  },
  'max-bytes': {
    type: 'bytes',
    default: 0,
    placeholder: 'BYTES',
    description: 'refuses more, unpacked or not; 0 = what the disk has free',
  },
  attempts: { type: 'count', default: 8, min: 1, placeholder: 'N', description: 'how often the source is asked; about 90 s of waiting' },
  'stall-timeout-secs': {
    type: 'seconds',
    default: 30,
    placeholder: 'SECONDS',
    description: 'without a byte for so long an attempt has failed; 0 = never',
  },
} as const satisfies Record<string, PullFlag>;

type FlagName = keyof typeof FLAGS;

/** `  --flag VALUE` and its meaning, a line each. */
export function pullHelp(): string {
  return Object.entries<PullFlag>(FLAGS)
    .map(([name, flag]) => {
      const fallback = flag.default === '' || flag.default === false ? '' : ` [default: ${String(flag.default)}]`;
      return `  ${`--${name} ${flag.placeholder}`.padEnd(30)}${flag.description}${fallback}`;
    })
    .join('\n');
}

/** `args`: what follows the command. Throws `OptionsError` with everything that is wrong; no message repeats a password. */
export function loadPullOptions(args: readonly string[], environment: Environment = process.env): PullOptions {
  const faults: string[] = [];
  const { words, texts } = readArguments(args, faults);
  const number = (name: 'max-bytes' | 'attempts' | 'stall-timeout-secs'): number => {
    const text = texts.get(name);
    if (text === undefined) return FLAGS[name].default;
    const parsed = parseOption({ flag: name, triton: null, ...FLAGS[name] }, [text]);
    if ('value' in parsed) return Number(parsed.value);
    faults.push(`--${name}: "${text}" is not ${parsed.expected}`);
    return 0;
  };
  const [uri = '', directory = ''] = words;
  if (words.length !== 2 || uri === '' || directory === '') faults.push('usage: penstock pull URI DIR [flags]; --help lists them');
  const source = words.length === 2 ? readSource(uri, faults) : undefined;
  const name = source === undefined ? '' : nameIn(source);
  const isArchive = ARCHIVE.test(name);
  const options = {
    directory,
    isArchive,
    target: targetOf(name, isArchive, texts.get('as'), source, faults),
    sha256: readChecksum(texts, faults),
    maxBytes: number('max-bytes'),
    attempts: number('attempts'),
    stallTimeoutMs: number('stall-timeout-secs') * 1000,
    authorization: environment['PENSTOCK_PULL_AUTHORIZATION'] ?? '',
    proxy: source?.protocol === 'https:' ? readProxy(environment, faults) : null,
  };
  // A header cannot carry them, and Node would say so with the value in the message.
  if (/[^\t\x20-\x7e\x80-\xff]/.test(options.authorization)) faults.push('PENSTOCK_PULL_AUTHORIZATION: holds a line break or the like');
  if (faults.length > 0 || source === undefined) throw new OptionsError(faults);
  return { source, ...options };
}

function readArguments(args: readonly string[], faults: string[]): { words: string[]; texts: Map<FlagName, string> } {
  const words: string[] = [];
  const texts = new Map<FlagName, string>();
  for (let position = 0; position < args.length; position++) {
    const arg = args[position] ?? '';
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) {
      words.push(arg);
    } else if (!isFlag(name)) {
      const nearest = nearestName(name, Object.keys(FLAGS));
      faults.push(`--${name} is not a flag of pull${nearest === undefined ? '; --help lists them' : `; did you mean --${nearest}?`}`);
      if (inline === undefined && args[position + 1]?.startsWith('-') === false) position++;
    } else if (FLAGS[name].type === 'boolean') {
      if (inline === undefined || inline === 'true') texts.set(name, 'true');
      else faults.push(`--${name} takes no value`);
    } else {
      const text = inline ?? args[++position];
      if (text === undefined || text === '') faults.push(`--${name} needs a value`);
      else texts.set(name, text);
    }
  }
  return { words, texts };
}

function isFlag(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}

function readSource(uri: string, faults: string[]): URL | undefined {
  if (!URL.canParse(uri)) {
    faults.push('URI: not a URI; expected https://HOST/PATH or file:///PATH');
    return undefined;
  }
  const source = new URL(uri);
  if (source.protocol !== 'https:' && source.protocol !== 'file:') {
    const reason = source.protocol === 'http:' ? ', because anybody on the way could change what is served' : '';
    faults.push(`URI: "${source.protocol}" cannot be pulled${reason}; there are https: and file:`);
  }
  if (source.username !== '' || source.password !== '') {
    faults.push('URI: a password in it shows in the list of processes; put it in the variable PENSTOCK_PULL_AUTHORIZATION');
  }
  if (source.protocol === 'file:' && source.host !== '') faults.push('URI: file: has three slashes, as in file:///models/model.onnx');
  source.hash = '';
  return source;
}

const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i;
const FOREIGN_ARCHIVE = /\.(zip|7z|rar|tar\.(bz2|xz|zst|lz4|br)|tbz2?|txz|tzst)$/i;

/** The last part of the path; empty when it has none, or none that could name a file. */
function nameIn(source: URL): string {
  try {
    const name = decodeURIComponent(source.pathname.split('/').at(-1) ?? '');
    return /[/\\\0]/.test(name) || name === '.' || name === '..' ? '' : name;
  } catch {
    return '';
  }
}

function targetOf(name: string, isArchive: boolean, as: string | undefined, source: URL | undefined, faults: string[]): string {
  if (FOREIGN_ARCHIVE.test(name)) faults.push(`URI: "${name}" is an archive of a kind that is not unpacked; there are .tar and .tar.gz`);
  if (as === undefined) {
    if (source !== undefined && name === '') faults.push('URI: its path does not end in a name; say what the file is called by --as PATH');
    return isArchive ? '.' : name;
  }
  const path = normalize(as);
  const leavesFolder = isAbsolute(path) || path.split('/').includes('..') || path.includes('\0');
  if (leavesFolder || (!isArchive && (path === '.' || path.endsWith('/'))))
    faults.push(`--as: "${as}" is not the path of a file below DIR`);
  return path;
}

function readChecksum(texts: ReadonlyMap<FlagName, string>, faults: string[]): string | null {
  const text = texts.get('checksum');
  const isWaived = texts.has('no-checksum');
  if (text === undefined) {
    if (!isWaived) faults.push('--checksum sha256:HEX is needed; whoever trusts the source without one says --no-checksum');
    return null;
  }
  if (isWaived) faults.push('--checksum and --no-checksum exclude each other');
  const digits = /^sha256:([0-9a-f]{64})$/i.exec(text)?.[1];
  if (digits === undefined) faults.push(`--checksum: "${text}" is not sha256: with 64 hexadecimal digits`);
  return digits?.toLowerCase() ?? null;
}

/** HTTPS_PROXY and NO_PROXY as curl reads them. */
function readProxy(environment: Environment, faults: string[]): ProxyOptions | null {
  const setting = (name: string): string => environment[name.toLowerCase()] ?? environment[name] ?? '';
  const text = setting('HTTPS_PROXY');
  if (text === '') return null;
  const exempt = setting('NO_PROXY')
    .split(',')
    .map((entry) =>
      entry
        .trim()
        .toLowerCase()
        .replace(/^\*?\./, ''),
    )
    .filter((name) => name !== '');
  try {
    const address = new URL(text.includes('://') ? text : `http://${text}`);
    const [user, password] = [decodeURIComponent(address.username), decodeURIComponent(address.password)];
    if (address.protocol === 'http:') return { address, user, password, exempt };
  } catch {
    // No URL, or a "%" that begins no escape.
  }
  faults.push('HTTPS_PROXY: expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with "%25" for a "%"');
  return null;
}
