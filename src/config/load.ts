/** Options from the command line, the environment and a YAML file. The only reader of `process.env` besides its neighbours in this folder. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { ServerError } from '../errors.js';
import { nearestName } from './nearest-name.js';
import { isBooleanText, parseOption, type OptionValue } from './option-value.js';
import { OPTION_ROWS, variableOf, type OptionName, type OptionRow, type Options } from './options.js';

/** Every fault of the options at once, one sentence each. */
export class OptionsError extends ServerError {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super('ERR_CONFIG_OPTION', faults.join('\n'));
    this.faults = faults;
  }
}

export interface LoadedOptions {
  readonly options: Options;
  /** Things that are probably mistakes but do no harm, one sentence each. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What was given for an option, and by what name the user knows it. */
interface Given {
  readonly source: string;
  readonly texts: readonly string[];
}

type GivenByName = Map<OptionName, Given>;

const NAME_BY_FLAG = new Map<string, OptionName>(
  OPTION_ROWS.flatMap(([name, row]) => [row.flag, row.triton ?? row.flag].map((flag): [string, OptionName] => [flag, name])),
);
const ROW_BY_NAME = new Map<OptionName, OptionRow>(OPTION_ROWS);

/** Kubernetes sets these for a Service called "penstock" or "penstock-http": addresses, not options. */
const SERVICE_LINK_VALUE = /^(tcp|udp|sctp):\/\//;
const SERVICE_LINK_NAME = /_SERVICE_(HOST|PORT)(_|$)|_PORT$|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/;

/**
 * `args`: what follows the command. Throws `OptionsError` with everything that is wrong.
 * `readFile` is for tests.
 */
export function loadOptions(
  args: readonly string[],
  environment: Environment = process.env,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): LoadedOptions {
  const faults: string[] = [];
  const warnings: string[] = [];
  const flags = readFlags(args, faults);
  const variables = readVariables(environment, warnings);
  const configPath = (flags.get('config') ?? variables.get('config'))?.texts.at(-1) ?? '';
  const file = configPath === '' ? new Map<OptionName, Given>() : readConfigFile(configPath, readFile, faults);

  const values = new Map<OptionName, OptionValue>();
  const defaulted = new Set<OptionName>();
  for (const [name, row] of OPTION_ROWS) {
    const given = flags.get(name) ?? variables.get(name) ?? file.get(name);
    if (given === undefined) defaulted.add(name);
    const parsed = given === undefined ? { value: row.default } : parseOption(row, given.texts);
    if ('value' in parsed) values.set(name, parsed.value);
    else faults.push(`${given?.source}: "${given?.texts.join(':')}" is not ${parsed.expected}`);
  }
  growByteLimits(values, defaulted);
  if (faults.length === 0) faults.push(...faultsBetween(Object.fromEntries(values) as unknown as Options));
  if (faults.length > 0) throw new OptionsError(faults);
  return { options: Object.fromEntries(values) as unknown as Options, warnings };
}

/** Limits on bytes that have room for the largest request, or no request of that size could ever run. */
const BYTE_LIMITS = ['maxInFlightBytes', 'maxReceivingBytes', 'maxQueueBytes'] as const satisfies readonly OptionName[];

/** Nobody who raises --max-request-bytes should have to know the limits that he left at their defaults. */
function growByteLimits(values: Map<OptionName, OptionValue>, defaulted: ReadonlySet<OptionName>): void {
  const largest = Number(values.get('maxRequestBytes'));
  for (const name of BYTE_LIMITS) {
    if (defaulted.has(name) && Number(values.get(name)) < largest) values.set(name, largest);
  }
}

function readFlags(args: readonly string[], faults: string[]): GivenByName {
  const given: GivenByName = new Map();
  for (let position = 0; position < args.length; position++) {
    const arg = args[position] ?? '';
    const [, flag, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (flag === undefined) {
      faults.push(`"${arg}" is not a flag; the command comes before the flags`);
      continue;
    }
    const name = NAME_BY_FLAG.get(flag);
    const row = name === undefined ? undefined : ROW_BY_NAME.get(name);
    if (name === undefined || row === undefined) {
      faults.push(`--${flag} is not an option${suggestion(flag, '--')}`);
      // Its value, if it has one, would only be a second complaint.
      if (inline === undefined && args[position + 1]?.startsWith('-') === false) position++;
      continue;
    }
    let text = inline;
    const next = args[position + 1];
    if (text === undefined && row.type === 'boolean') {
      const hasValue = next !== undefined && isBooleanText(next);
      text = hasValue ? next : 'true';
      if (hasValue) position++;
    } else if (text === undefined) {
      if (next === undefined || next.startsWith('--')) {
        faults.push(`--${flag} needs a value`);
        continue;
      }
      text = next;
      position++;
    }
    const earlier = row.type === 'paths' ? (given.get(name)?.texts ?? []) : [];
    given.set(name, { source: `--${flag}`, texts: [...earlier, text] });
  }
  return given;
}

function readVariables(environment: Environment, warnings: string[]): GivenByName {
  const given: GivenByName = new Map();
  const nameByVariable = new Map(OPTION_ROWS.map(([name, row]) => [variableOf(row), name]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('PENSTOCK_') || text === undefined || SERVICE_LINK_VALUE.test(text)) continue;
    const name = nameByVariable.get(variable);
    if (name === undefined) {
      if (SERVICE_LINK_NAME.test(variable)) continue;
      const nearest = nearestName(variable, nameByVariable.keys());
      warnings.push(`the variable ${variable} is not an option${nearest === undefined ? '' : `; did you mean ${nearest}?`}`);
      continue;
    }
    given.set(name, { source: variable, texts: ROW_BY_NAME.get(name)?.type === 'paths' ? text.split(':') : [text] });
  }
  return given;
}

function readConfigFile(path: string, readFile: (path: string) => string, faults: string[]): GivenByName {
  const given: GivenByName = new Map();
  let text: string;
  try {
    text = readFile(path);
  } catch (thrown) {
    faults.push(`--config: "${path}" cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return given;
  }
  const document = parseDocument(text);
  for (const error of document.errors) faults.push(`${path}: ${error.message}`);
  if (document.errors.length > 0) return given;
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch (thrown) {
    // Aliases are followed only here: unknown ones, and too many of them.
    faults.push(`${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return given;
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    faults.push(`${path}: expected option names with values, such as "http-port: 8000"`);
    return given;
  }
  for (const [key, value] of Object.entries(content)) {
    const name = NAME_BY_FLAG.get(key);
    const source = `${path}: ${key}`;
    if (name === undefined) faults.push(`${source} is not an option${suggestion(key, '')}`);
    else if (name === 'config') faults.push(`${source}: a configuration file cannot name another one`);
    else if (isScalar(value)) given.set(name, { source, texts: [String(value)] });
    else if (Array.isArray(value) && ROW_BY_NAME.get(name)?.type === 'paths' && value.every(isScalar)) {
      given.set(name, { source, texts: value.map(String) });
    } else faults.push(`${source}: expected one value${ROW_BY_NAME.get(name)?.type === 'paths' ? ' or a list of them' : ''}`);
  }
  return given;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function suggestion(flag: string, prefix: string): string {
  const nearest = nearestName(flag, NAME_BY_FLAG.keys());
  return nearest === undefined ? '; --help lists them' : `; did you mean ${prefix}${nearest}?`;
}

/** Rules between options. */
function faultsBetween(options: Options): string[] {
  const faults: string[] = [];
  const ports = [
    ['--http-port', options.httpPort, options.allowHttp],
    ['--grpc-port', options.grpcPort, options.allowGrpc],
    ['--metrics-port', options.metricsPort, options.allowMetrics],
  ] as const;
  const flagByPort = new Map<number, string>();
  for (const [flag, port, allowed] of ports) {
    if (!allowed || port === 0) continue;
    const other = flagByPort.get(port);
    if (other !== undefined) faults.push(`${flag}: port ${port} is already given to ${other}`);
    flagByPort.set(port, flag);
  }
  if (!options.allowHttp && !options.allowGrpc) faults.push('--allow-http and --allow-grpc are both false: there is nothing to serve');
  if ((options.tlsCert === '') !== (options.tlsKey === '')) faults.push('--tls-cert and --tls-key: one needs the other');
  else if (options.tlsClientCa !== '' && options.tlsCert === '') faults.push('--tls-client-ca: needs --tls-cert and --tls-key');
  if (options.modelName !== '' && options.modelRepository.length !== 1) {
    faults.push(`--model-name: needs exactly one --model-repository, found ${options.modelRepository.length}`);
  }
  for (const name of BYTE_LIMITS) {
    const bytes = options[name];
    const flag = `--${ROW_BY_NAME.get(name)?.flag ?? name}`;
    if (bytes !== 0 && bytes < options.maxRequestBytes) {
      faults.push(
        `${flag}: ${bytes} is less than --max-request-bytes (${options.maxRequestBytes}), so the largest request could never run`,
      );
    }
  }
  return faults;
}
