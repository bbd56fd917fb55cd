import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { penstock } from '../support/command.js';
import { DIGITS_METADATA } from '../support/digits-metadata.js';
import { repositoryRoot, ServerProcess } from '../support/server-process.js';

interface BenchRecord {
  readonly machine: { readonly cores: number };
  readonly server: { readonly name: string; readonly url: string };
  readonly model: { readonly input_shapes: Readonly<Record<string, readonly number[]>> };
  readonly result: {
    readonly complete: boolean;
    readonly refused: string | null;
    readonly rate_wanted: number | null;
    readonly goal_ms: number | null;
    readonly goodput: number | null;
    readonly connections: number;
    readonly counts: Readonly<Record<string, number>>;
    readonly latency_ms: Readonly<Record<string, { readonly value: number | null }>>;
    readonly schedule_delay_ms: { readonly p99: number; readonly late_share: number } | null;
    readonly settings: Readonly<Record<string, unknown>>;
  };
}

/** Another program may have taken the cores: then the generator refuses its own measurement, which is right as well. */
const MEASURED_OR_REFUSED = [0, 75];

/** Without the library the generator says so before it connects. .ci/run installs it, so there nothing is skipped. */
const noHttp2 = /HTTP\/2 needs .*/.exec(
  spawnSync(
    join(repositoryRoot, 'build/native/penstock-loadgen'),
    ['--protocol', 'grpc', '--port', '9', '--closed-loop', '1', '--duration', '1'],
    {
      encoding: 'utf8',
    },
  ).stderr,
)?.[0];
if (noHttp2 !== undefined) console.warn(`not measured over gRPC: ${noHttp2}`);
const itWithHttp2 = it.skipIf(noHttp2 !== undefined && process.env['CI'] !== 'true');

let folder: string;
let server: ServerProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-bench-test-'));
  server = await ServerProcess.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const resultOf = (path: string): BenchRecord => JSON.parse(readFileSync(path, 'utf8')) as BenchRecord;

/** A KServe server that is not ours: the metadata of `digits`, and answers as the test gives them. */
async function otherServer(answer: (request: IncomingMessage, response: ServerResponse, number: number) => void): Promise<string> {
  let inferences = 0;
  const other = createServer((request, response) => {
    request.resume();
    if (request.method === 'POST') return answer(request, response, ++inferences);
    response.end(JSON.stringify(request.url === '/v2' ? { name: 'other', version: '9' } : DIGITS_METADATA));
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => {
    other.closeAllConnections();
    other.close();
  });
  return `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
}

describe('bench', () => {
  it('measures a model of a running server', async () => {
    const json = join(folder, 'open.json');
    const flags = ['--rate', '200', '--arrivals', 'constant', '--duration', '1', '--warm-up', '0.5', '--batch-size', '3', '--json', json];
    const { code, stdout, stderr } = await penstock(['bench', '--url', server.httpUrl, '--model', 'digits', ...flags]);
    const { result, ...rest } = resultOf(json);
    expect(rest).toMatchObject({ server: { name: 'penstock' }, model: { input_shapes: { image: [3, 1, 8, 8] } } });
    expect(result.counts).toMatchObject({ requests: 200, answered: 200, misses: 0, warm_up: 100 });
    expect(result).toMatchObject({ complete: true, rate_wanted: 200 });
    expect(result.settings).toMatchObject({ loop: 'open', arrivals: 'constant', checks_body: true });
    expect(result.latency_ms['p50']?.value).toBeGreaterThan(0);
    const isLate = (result.schedule_delay_ms?.p99 ?? 0) > 1 || (result.schedule_delay_ms?.late_share ?? 0) > 0.001;
    expect(result.refused === null).toBe(!isLate);
    expect(code).toBe(isLate ? 75 : 0);
    expect(stdout).toContain('requests     200, 0 without a right answer');
    expect(stdout.includes('REFUSED: the generator was late itself')).toBe(isLate);
    expect(stderr).toMatch(/^ {3}1 s {2}sent \d+, answered \d+, misses 0$/m);
  });

  it('keeps a closed loop going, with texts', async () => {
    const json = join(folder, 'closed.json');
    const flags = ['--closed-loop', '2', '--duration', '0.5', '--warm-up', '0', '--json', json];
    const { code } = await penstock(['bench', '--url', server.httpUrl, '--model', 'echo_text', ...flags]);
    expect(code).toBe(0);
    const { result } = resultOf(json);
    expect(result).toMatchObject({ rate_wanted: null, schedule_delay_ms: null, settings: { loop: 'closed', concurrency: 2 } });
    expect(result.counts['answered']).toBeGreaterThan(10);
    expect(result.counts['misses']).toBe(0);
  });

  itWithHttp2('measures over gRPC, with a goal that every answer meets', async () => {
    const json = join(folder, 'grpc.json');
    const flags = ['--rate', '200', '--arrivals', 'constant', '--duration', '1', '--warm-up', '0.5', '--batch-size', '3', '--json', json];
    const { code, stdout } = await penstock([
      ...['bench', '--url', `grpc://${server.grpcAddress}`, '--model', 'digits', '--goal', '30000'],
      ...flags,
    ]);
    expect(MEASURED_OR_REFUSED).toContain(code);
    const { result, ...rest } = resultOf(json);
    expect(rest).toMatchObject({
      server: { name: 'penstock', url: `grpc://${server.grpcAddress}` },
      model: { name: 'digits', input_shapes: { image: [3, 1, 8, 8] } },
    });
    expect(result.counts).toMatchObject({ requests: 200, answered: 200, late_answers: 0, misses: 0, warm_up: 100 });
    expect(result.settings).toMatchObject({ protocol: 'grpc', streams: 16, loop: 'open', checks_body: true });
    expect(result.goal_ms).toBe(30_000);
    expect(result.goodput).toBeGreaterThan(100);
    expect(stdout).toContain(`digits at grpc://${server.grpcAddress} (penstock `);
    expect(stdout).toContain('in time      200 within 30000 ms (100.000 % of the requests)');
  });

  itWithHttp2('keeps a closed loop of gRPC going on one connection, and counts what is too late', async () => {
    const json = join(folder, 'grpc-closed.json');
    const flags = ['--closed-loop', '6', '--duration', '0.5', '--warm-up', '0', '--goal', '0.001', '--json', json];
    const address = ['--protocol', 'grpc', '--url', `http://${server.grpcAddress}`];
    const { code, stdout } = await penstock(['bench', ...address, '--model', 'echo_text', ...flags]);
    expect(code).toBe(0);
    const { result } = resultOf(json);
    expect(result).toMatchObject({ settings: { protocol: 'grpc', loop: 'closed', concurrency: 6 }, connections: 1, goodput: 0 });
    expect(result.counts['answered']).toBeGreaterThan(10);
    expect(result.counts['late_answers']).toBe(result.counts['answered']);
    expect(result.counts['misses']).toBe(0);
    expect(stdout).toContain('in time      0 within 0.001 ms (0.000 % of the requests), 0.00 per second');
  });

  it('replays a trace', async () => {
    const [json, trace] = [join(folder, 'trace.json'), join(folder, 'trace.txt')];
    writeFileSync(trace, '# of a Monday\n0\n0.1\n0.1\n0.35\n');
    const flags = ['--arrivals', `trace:${trace}`, '--warm-up', '0', '--json', json];
    const { code } = await penstock(['bench', '--url', server.httpUrl, '--model', 'add_sub', ...flags]);
    expect(MEASURED_OR_REFUSED).toContain(code);
    expect(resultOf(json).result.counts).toMatchObject({ requests: 4, answered: 4 });
  });

  it('counts what a server sheds and what it answers wrongly as misses', async () => {
    const url = await otherServer((_, response, number) => {
      const [status, body] =
        number <= 2 || number % 4 === 0 ? [200, 'right'] : number % 4 === 1 ? [503, ''] : [200, number % 4 === 2 ? 'wrong' : 'right'];
      response.writeHead(status).end(body);
    });
    const json = join(folder, 'misses.json');
    const flags = ['--rate', '100', '--arrivals', 'constant', '--duration', '0.8', '--warm-up', '0', '--json', json];
    const { code, stdout } = await penstock(['bench', '--url', url, '--model', 'digits', ...flags]);
    expect(MEASURED_OR_REFUSED).toContain(code);
    const { result } = resultOf(json);
    expect(result.counts).toMatchObject({ requests: 80, answered: 40, misses: 40, shed: 20, wrong: 20 });
    expect(result.latency_ms['p90']?.value).toBeNull();
    expect(stdout).toContain('80, 40 without a right answer (wrong 20, shed 20)');
    expect(stdout).toContain('never: too many requests have no right answer');
  });

  it('says what is there when it is stopped', async () => {
    const json = join(folder, 'stopped.json');
    const flags = ['--model', 'digits', '--rate', '50', '--duration', '600', '--warm-up', '0', '--json', json];
    const child = spawn(process.execPath, [join(repositoryRoot, 'dist/main.js'), 'bench', '--url', server.httpUrl, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    await once(child.stderr, 'data');
    await sleep(100);
    child.kill('SIGINT');
    expect((await exited)[0]).toBe(130);
    const { result } = resultOf(json);
    expect(result.complete).toBe(false);
    expect(result.counts['answered']).toBeGreaterThan(20);
  });

  it('leaves at once when it is stopped before it has sent anything', async () => {
    const silent = createServer();
    const asked = once(silent, 'request');
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const flags = ['--url', url, '--model', 'digits', '--rate', '1', '--duration', '1'];
    const child = spawn(process.execPath, [join(repositoryRoot, 'dist/main.js'), 'bench', ...flags], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    await asked;
    child.kill('SIGTERM');
    expect((await exited)[0]).toBe(143);
  });

  it('goes to its end when the server dies', async () => {
    const url = await otherServer((request, response, number) => {
      if (number <= 10) response.end('right');
      else request.socket.destroy();
    });
    const json = join(folder, 'dead.json');
    const flags = ['--rate', '100', '--arrivals', 'constant', '--duration', '0.3', '--warm-up', '0', '--json', json];
    await penstock(['bench', '--url', url, '--model', 'digits', ...flags]);
    expect(resultOf(json).result.counts).toMatchObject({ requests: 30, answered: 8, broken: 22 });
  });

  it.each([
    [
      'a model that is not there',
      ['--model', 'nope'],
      'no metadata of the model "nope": status 404: Request for unknown model: \'nope\' is not found',
    ],
    [
      'a batch that the model refuses',
      ['--model', 'digits', '--batch-size', '9999'],
      'the model does not answer: status 400: inputs[0].shape[0]',
    ],
    ['an address without a server', ['--model', 'digits', '--url', 'http://127.0.0.1:9'], 'no server answers at http://127.0.0.1:9: '],
    ['a trace that is not there', ['--model', 'digits', '--arrivals', 'trace:/nope'], '--arrivals: cannot read /nope'],
  ])('refuses %s', async (_, flags, message) => {
    const rate = flags.includes('--arrivals') ? [] : ['--rate', '10'];
    const { code, stdout, stderr } = await penstock(['bench', '--url', server.httpUrl, '--duration', '1', ...rate, ...flags]);
    expect(code).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).toContain(`penstock: `);
    expect(stderr).toContain(message);
  });

  it.each([
    [
      'a model that is not there over gRPC',
      () => ['--url', `grpc://${server.grpcAddress}`, '--model', 'nope'],
      'no metadata of the model "nope": NOT_FOUND: Request for unknown model: \'nope\' is not found',
    ],
    [
      'a batch that the model refuses over gRPC',
      () => ['--url', `grpc://${server.grpcAddress}`, '--model', 'digits', '--batch-size', '9999'],
      'the model does not answer: INVALID_ARGUMENT: ',
    ],
    [
      'the port of HTTP given for gRPC',
      () => ['--url', server.httpUrl, '--protocol', 'grpc', '--model', 'digits'],
      'no metadata of the server: UNAVAILABLE: ',
    ],
    [
      'the port of gRPC given for HTTP',
      () => ['--url', `http://${server.grpcAddress}`, '--model', 'digits'],
      `no server answers at http://`,
    ],
    ['an address without a server for gRPC', () => ['--url', 'grpc://127.0.0.1:9', '--model', 'digits'], 'UNAVAILABLE: '],
  ])('refuses %s', async (_, flags, message) => {
    const { code, stdout, stderr } = await penstock(['bench', ...flags(), '--rate', '10', '--duration', '1']);
    expect(code).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
  });

  it('has a help text of its own', async () => {
    const { code, stdout } = await penstock(['bench', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('usage: penstock bench --model NAME --rate R --duration S');
  });
});
