import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { chainModel } from '../support/big-model.js';
import { penstock } from '../support/command.js';
import { listeningPorts, logLines, untilLogged } from '../support/log-lines.js';
import { ServerProcess, shippedModels } from '../support/server-process.js';

const FREE_PORTS = ['--host', '127.0.0.1', '--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A repository whose one model takes ONNX Runtime far longer to load than a test waits. */
function slowRepository(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'chain/1'), { recursive: true });
  writeFileSync(join(folder, 'chain/1/model.onnx'), chainModel(250_000));
  return folder;
}

describe('SIGTERM while a model is being loaded', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s ends the process with 0 within 5 seconds', async (signal) => {
    const server = await ServerProcess.start({
      repositories: [slowRepository()],
      waitForReady: false,
      flags: ['--drain-delay-secs', '30'],
    });
    onTestFinished(() => void server.child.kill('SIGKILL'));
    await untilLogged(server, ({ msg }) => msg.startsWith('loading chain'));
    const signalled = performance.now();
    server.child.kill(signal);
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalled).toBeLessThan(5000);
    expect(logLines(server).some(({ msg }) => msg.startsWith('loaded chain'))).toBe(false);
  });

  it('the process ends at once before anything is loaded', async () => {
    const server = await ServerProcess.start({ waitForReady: false });
    onTestFinished(() => void server.child.kill('SIGKILL'));
    await untilLogged(server, ({ msg }) => msg.startsWith('starting'));
    const signalled = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalled).toBeLessThan(5000);
  });
});

describe('while a model is being loaded', () => {
  it('the server is live, not started and not ready, and says how far it is', async () => {
    const server = await ServerProcess.start({ repositories: [slowRepository(), shippedModels], waitForReady: false });
    onTestFinished(() => void server.child.kill('SIGKILL'));
    const { management } = await listeningPorts(server);
    await untilLogged(server, ({ msg }) => msg.startsWith('loaded digits version 2'));
    const probe = async (path: string): Promise<[number, unknown]> => {
      const answer = await fetch(`http://127.0.0.1:${management}${path}`);
      return [answer.status, await answer.json()];
    };
    expect((await probe('/health'))[0]).toBe(200);
    const reason = expect.stringMatching(/^[34] of 5 model versions are loaded$/) as string;
    // The snapshot that the probes read is published after the line of the log, and another version may still be on its way.
    await vi.waitFor(async () => {
      expect(await probe('/startup')).toEqual([503, { status: 'failed', checks: [{ name: 'models-loaded', ok: false, reason }] }]);
    }, 5000);
    const [status, body] = await probe('/ready');
    expect(status).toBe(503);
    expect(body).toMatchObject({ checks: [{ name: 'models-ready', ok: false, reason }, {}, {}] });
  });
});

describe('a port that is in use', () => {
  it.each(['--http-port', '--grpc-port', '--metrics-port'])('ends the start with 64 and one sentence: %s', async (flag) => {
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await penstock([...FREE_PORTS, '--model-repository', shippedModels, flag, String(port)]);
    expect(code).toBe(64);
    const last = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as object;
    expect(last).toMatchObject({
      level: 'fatal',
      code: 'ERR_PORT_BUSY',
      exit_code: 64,
      msg: `port ${port} is already in use; choose another with ${flag}`,
    });
  });
});

describe('the ready file', () => {
  it('replaces an older one only when the server is ready, and names the ports', async () => {
    const readyFile = join(temporaryFolder(), 'ready.json');
    writeFileSync(readyFile, 'from an earlier server');
    const server = await ServerProcess.start({ repositories: [slowRepository()], waitForReady: false, flags: ['--ready-file', readyFile] });
    onTestFinished(() => void server.child.kill('SIGKILL'));
    await untilLogged(server, ({ msg }) => msg.startsWith('loading chain'));
    expect(existsSync(readyFile)).toBe(false);

    const ready = await ServerProcess.start({ flags: ['--ready-file', readyFile], waitForReady: false });
    onTestFinished(() => void ready.stop());
    await untilLogged(ready, ({ msg }) => msg === 'ready');
    expect(JSON.parse(readFileSync(readyFile, 'utf8'))).toEqual(await listeningPorts(ready));
  });

  it('that cannot be written ends the start with 64', async () => {
    const { code, stderr } = await penstock([...FREE_PORTS, '--model-repository', shippedModels, '--ready-file', '/nowhere/at/all']);
    expect(code).toBe(64);
    expect(stderr).toContain('--ready-file: \\"/nowhere/at/all\\" cannot be written');
  });
});

describe('what a server does unasked', () => {
  it('leaves nothing behind in its home or among temporary files, where ONNX Runtime would keep what it reports', async () => {
    const home = temporaryFolder();
    const server = await ServerProcess.start({ env: { HOME: home, XDG_CACHE_HOME: home, TMPDIR: home } });
    onTestFinished(() => void server.child.kill('SIGKILL'));
    await fetch(`${server.httpUrl}/v2/models/digits/infer`, {
      method: 'POST',
      body: readFileSync(join(shippedModels, 'digits/samples/seven.json')),
    });
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(readdirSync(home, { recursive: true })).toEqual([]);
  });
});

describe('the threads of a server', () => {
  it('that run models have names of their own, those of ONNX Runtime too', async () => {
    const server = await ServerProcess.start({ flags: ['--cpu-threads', '2'] });
    onTestFinished(async () => void (await server.stop()));
    const tasks = `/proc/${server.child.pid}/task`;
    const names = new Set(readdirSync(tasks).map((task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim()));
    expect([...names]).toEqual(expect.arrayContaining(['node', 'penstock-lane', 'penstock-ort']));
  });
});
