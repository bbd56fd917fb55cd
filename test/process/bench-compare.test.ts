import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { CompareRecord } from '../../src/planning/bench/compare-record.js';
import { penstock, type CommandResult } from '../support/command.js';
import { KserveProxy, type ProxyOptions } from '../support/kserve-proxy.js';
import { repositoryRoot, ServerProcess } from '../support/server-process.js';

let folder: string;
let server: ServerProcess;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-compare-test-'));
  server = await ServerProcess.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function proxy(options: Omit<ProxyOptions, 'url'> = {}): Promise<string> {
  const other = await KserveProxy.start({ url: server.httpUrl, ...options });
  onTestFinished(() => other.stop());
  return other.url;
}

let files = 0;
/** A closed loop is never refused, however busy the machine is. */
async function compare(...flags: string[]): Promise<CommandResult & { record: () => CompareRecord; json: string }> {
  const json = join(folder, `${++files}.json`);
  const load = ['--model', 'digits', '--closed-loop', '2', '--duration', '0.4', '--warm-up', '0.1', '--rounds', '3', '--json', json];
  const result = await penstock(['bench', 'compare', '--url', server.httpUrl, ...load, ...flags]);
  return { ...result, json, record: () => JSON.parse(readFileSync(json, 'utf8')) as CompareRecord };
}

describe('bench compare', () => {
  it('finds a server as fast as itself', async () => {
    const { code, stdout, record } = await compare('--against', server.httpUrl, '--rounds', '5');
    expect(code).toBe(0);
    const { rounds, servers, ratios, settings } = record();
    expect(rounds.map((runs) => runs.map((run) => run.server))).toEqual([[0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]); // prettier-ignore
    expect(servers.map(({ name, differs }) => [name, differs])).toEqual([
      ['penstock', null],
      ['penstock', null],
    ]);
    expect(settings).toMatchObject({ tensors: 'binary', closed_loop: 2 });
    // The true ratio is 1; in one run of twenty the interval may just miss it.
    expect(ratios).toMatchObject([{ against: 1, rounds: 5, misses: { value: 0 } }]);
    expect(ratios[0]?.p50?.low).toBeLessThan(1.3);
    expect(ratios[0]?.p50?.high).toBeGreaterThan(1 / 1.3);
    expect(stdout).toContain('answers are the same');
    expect(stdout).toMatch(/^latency p50 +\d\S* ms +\d\S* ms +\d\.\d+ \(\d\S* to \d\S*\)$/m);
  });

  it('shows that another server is slower, under a path and a model name of its own', async () => {
    const url = await proxy({ delayMs: 40, prefix: '/kserve/v1', model: 'numbers' });
    const { code, record } = await compare('--against', url, '--against-model', 'numbers');
    expect(code).toBe(0);
    const { servers, ratios } = record();
    expect(servers[1]?.model.name).toBe('numbers');
    expect(ratios[0]?.p50?.high).toBeLessThan(0.8);
    expect(ratios[0]?.rate_answered?.low).toBeGreaterThan(1.25);
  });

  it('compares with several at once, each beginning a round in turn', async () => {
    const [one, other] = [await proxy(), await proxy({ delayMs: 20 })];
    const { code, stdout, record } = await compare('--against', one, '--against', other);
    expect(code).toBe(0);
    expect(record().rounds.map((runs) => runs.map((run) => run.server))).toEqual([[0, 1, 2], [1, 2, 0], [2, 0, 1]]); // prettier-ignore
    expect(record().ratios.map(({ against }) => against)).toEqual([1, 2]);
    expect(stdout.match(/^against http/gm)).toHaveLength(2);
  });

  it('sends JSON to all when one server takes no binary tensors, and says so', async () => {
    const { code, stdout, record } = await compare('--against', await proxy({ isJsonOnly: true }));
    expect(code).toBe(0);
    const { settings, rounds, servers } = record();
    expect(settings.tensors).toBe('json');
    expect(stdout).toContain('note: tensors as JSON for all servers');
    expect(stdout).toContain('status 415: send JSON');
    expect(servers[1]?.differs).toBeNull();
    for (const { result } of rounds.flat()) expect(result.counts).toMatchObject({ misses: 0, wrong: 0 });
  });

  it('says when the answers are not the same', async () => {
    const url = await proxy({ isJsonOnly: true, change: (answer) => answer.replace('"data":[', '"data":[7') });
    const { code, stdout } = await compare('--against', url);
    expect(code).toBe(1);
    expect(stdout).toMatch(/ANSWERS DIFFER: its output "\w+" has 7\S* instead of \S+ at 0/);
  });

  it('claims no interval for fewer rounds than it takes, and ends with 75', async () => {
    const { code, stdout } = await compare('--against', server.httpUrl, '--rounds', '1', '--duration', '0.2');
    expect(code).toBe(75);
    expect(stdout).toMatch(/no interval: 1 good round$/m);
  });

  it('keeps what there is when a server dies, and says which', async () => {
    const url = await proxy({ delayMs: 5, diesAfter: 60 });
    const { code, stdout, record } = await compare('--against', url, '--rounds', '50');
    expect(code).toBe(75);
    expect(stdout).toMatch(new RegExp(`^ENDED EARLY: round \\d+, ${url}/: `, 'm'));
    const { stopped, rounds } = record();
    expect(stopped).toContain(url);
    expect(rounds[0]?.find((run) => run.server === 0)?.result.counts.answered).toBeGreaterThan(0);
    expect(rounds.length).toBeLessThan(50);
  });

  it('keeps what there is when it is stopped', async () => {
    const json = join(folder, 'stopped.json');
    const flags = ['--url', server.httpUrl, '--against', server.httpUrl, '--model', 'digits', '--closed-loop', '1', '--duration', '60'];
    const child = spawn(process.execPath, [join(repositoryRoot, 'dist/main.js'), 'bench', 'compare', ...flags, '--json', json], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    // The first line names the round, the second is the generator's.
    await once(child.stderr.setEncoding('utf8'), 'data');
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect((await exited)[0]).toBe(130);
    expect((JSON.parse(readFileSync(json, 'utf8')) as CompareRecord).stopped).toContain('stopped by a signal');
  });

  it.each([
    ['no other server', [], '--against is missing'],
    ['a model that is not there', ['--against', 'URL', '--against-model', 'nope'], 'no metadata of the model "nope"'],
    ['a model with other inputs', ['--against', 'URL', '--against-model', 'add_sub'], 'the model "add_sub" takes '],
    ['an address without a server', ['--against', 'http://127.0.0.1:9'], 'no server answers at http://127.0.0.1:9: '],
  ])('refuses %s', async (_, flags, message) => {
    const { code, stdout, stderr } = await compare(...flags.map((flag) => flag.replace('URL', server.httpUrl)));
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toContain(message);
  });

  it('has a help text of its own, which that of bench names', async () => {
    expect((await penstock(['bench', 'compare', '--help'])).stdout).toContain('usage: penstock bench compare --url OURS --against URL');
    expect((await penstock(['bench', '--help'])).stdout).toContain('penstock bench compare --help');
  });
});

describe('bench diff', () => {
  it('shows no difference between a comparison and itself', async () => {
    const { json } = await compare('--against', server.httpUrl);
    const { code, stdout } = await penstock(['bench', 'diff', json, json]);
    expect(code).toBe(0);
    expect(stdout).toContain('ratio to penstock');
    expect(stdout).toMatch(/^latency p50 .* no difference shown$/m);
    expect(stdout).not.toMatch(/better|worse/i);
  });

  it('ends with 1 when runs of bench have become slower', async () => {
    const run = async (name: string, url: string): Promise<string> => {
      const json = join(folder, name);
      const load = ['--closed-loop', '2', '--duration', '0.5', '--warm-up', '0.1', '--json', json];
      expect((await penstock(['bench', '--url', url, '--model', 'digits', ...load])).code).toBe(0);
      return json;
    };
    const slow = await proxy({ delayMs: 40 });
    const before = await run('before.json', server.httpUrl);
    const after = [await run('after-1.json', slow), await run('after-2.json', slow)].join(',');
    const { code, stdout } = await penstock(['bench', 'diff', before, after, '--tolerance', '10%']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^latency p50 .* WORSE$/m);
    expect(stdout).toContain('1 run before, 2 runs after');
    expect((await penstock(['bench', 'diff', after, before])).stdout).toMatch(/^latency p50 .* better$/m);
  });

  it('names the file and the field that is not as expected', async () => {
    const damaged = join(folder, 'damaged.json');
    writeFileSync(damaged, '{"kind": "bench", "taken": 7}');
    const { code, stdout, stderr } = await penstock(['bench', 'diff', damaged, damaged]);
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toContain(`penstock: ${damaged}: taken: expected a text, found 7`);
  });

  it('has a help text of its own', async () => {
    expect((await penstock(['bench', 'diff', '--help'])).stdout).toContain('usage: penstock bench diff A.json B.json');
    expect((await penstock(['bench', 'diff', 'one.json'])).stderr).toContain('expected two results, A.json B.json, found 1');
  });
});
