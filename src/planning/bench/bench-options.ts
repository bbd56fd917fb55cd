/** The flags of `penstock bench`. */
import { accessSync, constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { OptionsError } from '../../config/load.js';
import { readFlags, type FlagValues } from '../flags.js';
import type { LoadSettings } from '../load/load-settings.js';

export interface BenchOptions extends LoadSettings {
  /** Where the result goes; empty = only the table. */
  readonly json: string;
  /** Tensors as JSON, for servers without the extension for binary ones. */
  readonly jsonTensors: boolean;
}

const text = (value: string) => ({ type: 'string', default: value }) as const;
/** Those of `bench compare` as well. */
export const FLAGS = {
  protocol: text(''),
  url: text(''),
  model: text(''),
  'model-version': text(''),
  rate: text(''),
  duration: text(''),
  arrivals: text('poisson'),
  'closed-loop': text(''),
  'warm-up': text('1'),
  grace: text('10'),
  'batch-size': text('1'),
  shape: { type: 'string', multiple: true, default: [] as string[] },
  data: text('random'),
  seed: text('1'),
  threads: text('1'),
  connections: text('1024'),
  streams: text(''),
  goal: text(''),
  json: text(''),
  'json-tensors': { type: 'boolean', default: false },
} as const;
/** Where a server of ours listens. */
const DEFAULT_URLS = { http: 'http://127.0.0.1:8000', grpc: 'grpc://127.0.0.1:8001' } as const;

export function benchHelp(): string {
  return `usage: penstock bench --model NAME --rate R --duration S [flags]
       penstock bench compare --help      the same load against several servers, in turns
       penstock bench diff --help         changes between results, told from noise

Sends inference requests to a KServe V2 server over HTTP/1.1 or gRPC and says how long answers took, from the moment at
which each request was meant to leave. Requests without a right answer count as endless.

  --protocol NAME         http or grpc [default: as the URL says, else http]
  --url URL               of the server: http://HOST:PORT or grpc://HOST:PORT; with --protocol grpc either of them
                          [default: ${DEFAULT_URLS.http}, for gRPC ${DEFAULT_URLS.grpc}]
  --model NAME            --model-version V
  --rate R                requests per second
  --duration S            seconds; of a trace not needed
  --arrivals KIND         poisson, constant, gamma:SHAPE (bursts: SHAPE below 1), trace:FILE (seconds from the start, one a line)
                          [default: ${FLAGS.arrivals.default}]
  --closed-loop N         instead of --rate: N requests in flight, each followed by the next when it is answered
  --warm-up S             before the duration, not counted [default: ${FLAGS['warm-up'].default}]
  --grace S               after it; what has no answer then has none [default: ${FLAGS.grace.default}]
  --batch-size B          rows of a request, for inputs whose first dimension is free [default: ${FLAGS['batch-size'].default}]
  --shape NAME:D,D,...    the whole shape of an input; needed where another dimension is free; may be given several times
  --data KIND             random: floats from 0.5 to 1, integers from 0 to 9; or zeros [default: ${FLAGS.data.default}]
  --seed N                of arrivals and data [default: ${FLAGS.seed.default}]
  --threads N             of the generator [default: ${FLAGS.threads.default}]
  --connections N         at most [default: ${FLAGS.connections.default}]
  --streams N             of gRPC: calls at a time on a connection [default: 16]
  --goal MS               answers that take longer are counted as late, those in time per second as goodput
  --json-tensors          tensors as JSON, for servers that do not take binary ones over HTTP
  --json FILE             the whole result, with machine, versions and settings

Ctrl-C ends a run early and prints what there is. No TLS.
gRPC needs libnghttp2 on this machine (package libnghttp2-14 of Debian).
exit codes: 0 measured, 64 bad usage, no such server or model, 73 FILE cannot be written, 75 refused because the generator was late itself,
            130 or 143 ended by SIGINT (Ctrl-C) or SIGTERM`;
}

/** `args`: what follows the command. Throws `OptionsError` with everything that is wrong. */
export function loadBenchOptions(args: readonly string[]): BenchOptions {
  const faults: string[] = [];
  const options = readBenchFlags(readFlags(args, FLAGS, 'bench').values, faults);
  if (faults.length > 0) throw new OptionsError(faults);
  return options;
}

/** What is wrong goes to `faults`; then the result is not to be used. */
export function readBenchFlags(values: FlagValues<typeof FLAGS>, faults: string[]): BenchOptions {
  const number = (flag: keyof typeof FLAGS, least: number, most: number, whole: boolean): number => {
    const given = String(values[flag]);
    const value = Number(given);
    const form = whole ? /^\d+$/ : /^\d+(\.\d+)?(e-?\d+)?$/;
    if (form.test(given) && value >= least && value <= most) return value;
    faults.push(`--${flag}: "${given}" is not a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
    return least;
  };
  const isClosed = values['closed-loop'] !== '';
  const isTrace = values.arrivals.startsWith('trace:');
  if (values.model === '') faults.push('--model is missing: it names the model to measure');
  if (isClosed && values.rate !== '') faults.push('--rate and --closed-loop exclude each other');
  if (isClosed && values.arrivals !== FLAGS.arrivals.default) faults.push('--arrivals and --closed-loop exclude each other');
  if (isTrace && values.rate !== '') faults.push('--rate: a trace has its own');
  if (!isClosed && !isTrace && values.rate === '') faults.push('--rate is missing: requests per second');
  if (!isTrace && values.duration === '') faults.push('--duration is missing: seconds');
  if (!/^(poisson|constant|gamma:.+|trace:.+)$/.test(values.arrivals)) {
    faults.push(`--arrivals: "${values.arrivals}" is not poisson, constant, gamma:SHAPE or trace:FILE`);
  }
  if (values.data !== 'random' && values.data !== 'zeros') faults.push(`--data: "${values.data}" is not random or zeros`);
  const url = readUrl('url', values.url, values.protocol, faults);
  if (values['json-tensors'] && url.protocol === 'grpc:') faults.push('--json-tensors: gRPC has no JSON');
  if (values.streams !== '' && url.protocol !== 'grpc:') faults.push('--streams: only calls of gRPC share a connection');
  const options = {
    url,
    model: values.model,
    modelVersion: values['model-version'],
    rate: values.rate === '' ? null : number('rate', 0.001, 10_000_000, false),
    duration: values.duration === '' ? null : number('duration', 0.001, 1_000_000, false),
    arrivals: values.arrivals,
    closedLoop: isClosed ? number('closed-loop', 1, 60_000, true) : null,
    warmUp: number('warm-up', 0, 1_000_000, false),
    grace: number('grace', 0, 1_000_000, false),
    batchSize: number('batch-size', 1, 1_000_000, true),
    shapes: new Map(values.shape.map((given) => readShape(given, faults))),
    data: values.data === 'zeros' ? 'zeros' : 'random',
    seed: number('seed', 0, Number.MAX_SAFE_INTEGER, true),
    threads: number('threads', 1, 256, true),
    connections: number('connections', 1, 60_000, true),
    streams: values.streams === '' ? null : number('streams', 1, 10_000, true),
    goalMs: values.goal === '' ? null : number('goal', 0.001, 1_000_000, false),
    json: values.json === '' ? '' : resolve(values.json),
    jsonTensors: values['json-tensors'],
  } as const;
  // Better now than after the run.
  if (options.json !== '' && !isWritable(dirname(options.json))) faults.push(`--json: the folder of "${values.json}" cannot be written`);
  return options;
}

/** Whose scheme is the protocol. */
export function readUrl(flag: string, given: string, protocol: string, faults: string[]): URL {
  if (protocol !== '' && protocol !== 'http' && protocol !== 'grpc') faults.push(`--protocol: "${protocol}" is not http or grpc`);
  const text = given === '' ? DEFAULT_URLS[protocol === 'grpc' ? 'grpc' : 'http'] : given;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isGrpc = url?.protocol === 'grpc:' || protocol === 'grpc';
  if ((url?.protocol !== 'http:' && url?.protocol !== 'grpc:') || url.hostname === '' || url.username !== '' || url.search !== '') {
    faults.push(`--${flag}: "${given}" is not an address such as ${DEFAULT_URLS.http} or ${DEFAULT_URLS.grpc} (https: is not supported)`);
  } else if (url.protocol === 'grpc:' && protocol === 'http') {
    faults.push(`--protocol http: "${given}" is an address for gRPC`);
  } else if (isGrpc && !['', '/'].includes(url.pathname)) {
    faults.push(`--${flag}: "${given}" has a path; gRPC has none`);
  } else {
    return isGrpc ? new URL(`grpc://${url.host}`) : url;
  }
  return new URL('http://invalid');
}

/** Adds a sentence to `faults` for a text that is no shape. */
export function readShape(given: string, faults: string[]): [string, readonly number[]] {
  const [, name = '', dimensions = ''] = /^(.+):(\d+(?:,\d+)*)$/.exec(given) ?? [];
  const shape = dimensions.split(',').map(Number);
  if (name === '' || !shape.every((dimension) => dimension > 0 && Number.isSafeInteger(dimension))) {
    faults.push(`--shape: "${given}" is not NAME:D,D,... with dimensions above 0`);
  }
  return [name, shape];
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
