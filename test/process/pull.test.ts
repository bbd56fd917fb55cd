import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { penstock, type CommandResult } from '../support/command.js';
import { certificatePath, ModelHost } from '../support/model-host.js';
import { repositoryRoot } from '../support/server-process.js';

const MIB = 1024 * 1024;
const trusted = { NODE_EXTRA_CA_CERTS: certificatePath };

const checksum = (file: Buffer): string => `sha256:${createHash('sha256').update(file).digest('hex')}`;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-pull-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function pull(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
  return penstock(['pull', ...args], { ...trusted, ...env });
}

/** A pull that the test ends by a signal. */
function startPull(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [join(repositoryRoot, 'dist/main.js'), 'pull', ...args], {
    stdio: 'ignore',
    env: { ...process.env, ...trusted },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

function messages({ stderr }: CommandResult): string {
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg)
    .join('\n');
}

describe('pull of a file over https', () => {
  it('places it under its name, whole and alone, and fetches nothing the second time', async () => {
    const file = randomBytes(5 * MIB);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, file, { etag: '"one"' }));
    const folder = join(temporaryFolder(), 'models');
    const args = [host.url('/some/model.onnx?signature=secret'), folder, '--checksum', checksum(file)];
    const first = await pull(args);
    expect(first.code).toBe(0);
    expect(readdirSync(folder)).toEqual(['model.onnx']);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
    expect(first.stderr).not.toContain('secret');
    const second = await pull(args);
    expect(second.code).toBe(0);
    expect(messages(second)).toContain('the file is there already');
    expect(host.requests).toHaveLength(1);
  });

  it('--as places it where a model repository has it, and replaces another file there', async () => {
    const file = randomBytes(1000);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, file));
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'digits/1'), { recursive: true });
    writeFileSync(join(folder, 'digits/1/model.onnx'), 'an older one');
    const { code } = await pull([host.url('/download'), folder, '--as', 'digits/1/model.onnx', '--checksum', checksum(file)]);
    expect(code).toBe(0);
    expect(readFileSync(join(folder, 'digits/1/model.onnx')).equals(file)).toBe(true);
    expect(readdirSync(join(folder, 'digits/1'))).toEqual(['model.onnx']);
  });

  it('goes on where a cut connection stopped', async () => {
    const file = randomBytes(4 * MIB);
    const host = await ModelHost.start(
      (self) => (request, response, count) =>
        self.send(request, response, file, { etag: '"one"', ...(count === 1 && { cutAfterBytes: 3 * MIB }) }),
    );
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file)]);
    expect(result.code).toBe(0);
    expect(host.requests).toHaveLength(2);
    expect(host.requests[1]).toMatchObject({ 'if-range': '"one"', range: expect.stringMatching(/^bytes=[1-9]\d+-$/) as string });
    const offset = Number(/\d+/.exec(host.requests[1]?.range ?? '')?.[0]);
    expect(host.sentBytes).toBe(3 * MIB + file.length - offset);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });

  it('goes on where a killed process stopped', async () => {
    const file = randomBytes(6 * MIB);
    const host = await ModelHost.start(
      (self) => (request, response, count) =>
        self.send(request, response, file, { etag: '"one"', ...(count === 1 && { stallAfterBytes: 4 * MIB }) }),
    );
    const folder = temporaryFolder();
    const args = [host.url('/model.onnx'), folder, '--checksum', checksum(file)];
    const child = startPull(args);
    await vi.waitFor(() => expect(sizeOf(join(folder, 'model.onnx.partial'))).toBeGreaterThanOrEqual(3 * MIB), 10_000);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const kept = sizeOf(join(folder, 'model.onnx.partial'));
    expect(existsSync(join(folder, 'model.onnx'))).toBe(false);
    expect((await pull(args)).code).toBe(0);
    expect(host.requests[1]?.range).toBe(`bytes=${kept}-`);
    expect(host.sentBytes).toBe(4 * MIB + file.length - kept);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
    expect(readdirSync(folder)).toEqual(['model.onnx']);
  });

  it('begins anew when the file has changed since, also without a checksum', async () => {
    const [old, file] = [randomBytes(4 * MIB), randomBytes(3 * MIB)];
    const host = await ModelHost.start(
      (self) => (request, response, count) =>
        count === 1
          ? self.send(request, response, old, { etag: '"old"', cutAfterBytes: 2 * MIB })
          : self.send(request, response, file, { etag: '"new"' }),
    );
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--no-checksum']);
    expect(result.code).toBe(0);
    expect(host.requests[1]?.['if-range']).toBe('"old"');
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });

  it('begins anew when the server ignores ranges', async () => {
    const file = randomBytes(3 * MIB);
    const host = await ModelHost.start((self) => (request, response, count) => {
      delete request.headers.range;
      self.send(request, response, file, count === 1 ? { cutAfterBytes: 2 * MIB } : {});
    });
    const folder = temporaryFolder();
    expect((await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file)])).code).toBe(0);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });

  it('begins anew, once, when the two halves do not fit each other', async () => {
    const [old, file] = [randomBytes(3 * MIB), randomBytes(3 * MIB)];
    const host = await ModelHost.start(
      (self) => (request, response, count) =>
        self.send(request, response, count === 1 ? old : file, count === 1 ? { cutAfterBytes: 2 * MIB } : {}),
    );
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file)]);
    expect(result.code).toBe(0);
    expect(host.requests).toHaveLength(3);
    expect(host.requests[2]?.range).toBeUndefined();
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });

  it('asks again after 503 and too few bytes, as late as Retry-After wants', async () => {
    const file = randomBytes(1000);
    const times: number[] = [];
    const host = await ModelHost.start((self) => (request, response, count) => {
      times.push(performance.now());
      if (count === 1) response.writeHead(503, { 'retry-after': '2' }).end();
      else if (count === 2)
        response.writeHead(200, { 'content-length': 1000 }).end(file.subarray(0, 400), () => response.socket?.destroy());
      else self.send(request, response, file);
    });
    const folder = temporaryFolder();
    expect((await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file)])).code).toBe(0);
    expect(host.requests).toHaveLength(3);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1990);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });

  it('asks again when nothing comes for the stall timeout', async () => {
    const file = randomBytes(1000);
    const host = await ModelHost.start(
      (self) => (request, response, count) => self.send(request, response, file, count === 1 ? { stallAfterBytes: 100 } : {}),
    );
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file), '--stall-timeout-secs', '0.5']);
    expect(result.code).toBe(0);
    expect(messages(result)).toContain('no byte for 0.5 s; trying again');
  });

  it('says every few seconds how far it is', async () => {
    const file = randomBytes(2 * MIB);
    const host = await ModelHost.start(() => (_request, response) => {
      response.writeHead(200, { 'content-length': file.length });
      response.write(file.subarray(0, MIB));
      setTimeout(() => response.end(file.subarray(MIB)), 5500);
    });
    const result = await pull([host.url('/model.onnx'), temporaryFolder(), '--checksum', checksum(file)]);
    expect(result.code).toBe(0);
    const lines = result.stderr.split('\n').filter((line) => line.includes('"percent"'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', msg: 'pulling', bytes: MIB, total_bytes: 2 * MIB, percent: 50 });
  });

  it('ends with 75 when the attempts are used up, and keeps what has come', async () => {
    const file = randomBytes(2 * MIB);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, file, { cutAfterBytes: MIB / 2 }));
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file), '--attempts', '2']);
    expect(result.code).toBe(75);
    expect(messages(result)).toContain('given up after 2 of 2 attempts');
    expect(host.requests).toHaveLength(2);
    expect(readdirSync(folder).sort()).toEqual(['model.onnx.partial', 'model.onnx.partial.json']);
  });

  it.each([401, 403, 404, 410])('ends with 73 at once when the server answers %i', async (status) => {
    const host = await ModelHost.start(() => (_request, response) => void response.writeHead(status).end());
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), join(folder, 'models/1'), '--no-checksum']);
    expect(result.code).toBe(73);
    expect(messages(result)).toContain(`/model.onnx answers ${status}`);
    expect(host.requests).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a wrong checksum ends with 73 and leaves nothing behind', async () => {
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, randomBytes(2 * MIB)));
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--as', 'digits/1/model.onnx', '--checksum', checksum(randomBytes(9))]);
    expect(result.code).toBe(73);
    expect(messages(result)).toContain('the checksum is wrong: expected sha256:');
    expect(host.requests).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not trust a certificate that nobody vouches for, and says so at once', async () => {
    const host = await ModelHost.start(() => (_request, response) => void response.end());
    const result = await penstock(['pull', host.url('/model.onnx'), temporaryFolder(), '--no-checksum']);
    expect(result.code).toBe(73);
    expect(messages(result)).toMatch(/self-signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\)/);
    expect(host.requests).toHaveLength(0);
  });
});

describe('pull follows redirects', () => {
  it('to another host, which is not told the secret', async () => {
    const file = randomBytes(1000);
    const store = await ModelHost.start((self) => (request, response) => self.send(request, response, file));
    const host = await ModelHost.start(() => (request, response) => {
      const location = request.url === '/model.onnx' ? '/moved' : store.url('/blob/123');
      response.writeHead(302, { location }).end();
    });
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--checksum', checksum(file)], {
      PENSTOCK_PULL_AUTHORIZATION: 'Bearer secret',
    });
    expect(result.code).toBe(0);
    expect(host.requests.map(({ authorization }) => authorization)).toEqual(['Bearer secret', 'Bearer secret']);
    expect(store.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
    // No hexadecimal number, such as a checksum, holds the word by chance.
    expect(result.stderr).not.toContain('secret');
  });

  it.each([
    ['out of https', 'http://localhost/model.onnx', 'redirects to "http:"; only https: is followed'],
    ['to a file', 'file:///etc/passwd', 'redirects to "file:"; only https: is followed'],
    ['in a circle', '/model.onnx', 'redirects more than 10 times'],
  ])('but not %s', async (_case, location, message) => {
    const host = await ModelHost.start(() => (_request, response) => void response.writeHead(302, { location }).end());
    const result = await pull([host.url('/model.onnx'), temporaryFolder(), '--no-checksum']);
    expect(result.code).toBe(73);
    expect(messages(result)).toContain(message);
  });
});

describe('pull through a proxy', () => {
  /** Leads every tunnel to `host`, whatever it is called. */
  async function startProxy(host: ModelHost, address = '127.0.0.1'): Promise<{ port: number; tunnels: string[] }> {
    const tunnels: string[] = [];
    const proxy = createHttpServer().on('connect', ({ url, headers }, client) => {
      tunnels.push(`${url} ${headers['proxy-authorization']}`);
      const upstream = connect(host.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    });
    await once(proxy.listen(0, address), 'listening');
    onTestFinished(() => void proxy.close());
    return { port: (proxy.address() as AddressInfo).port, tunnels };
  }

  it('tunnels, except to hosts in NO_PROXY', async () => {
    const file = randomBytes(1000);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, file));
    const { port, tunnels } = await startProxy(host);
    const env = { HTTPS_PROXY: `http://me:word@127.0.0.1:${port}` };
    const args = (name: string): string[] => [host.url(`/${name}`), folder, '--checksum', checksum(file)];
    const folder = temporaryFolder();
    expect((await pull(args('a.onnx'), env)).code).toBe(0);
    expect(tunnels).toEqual([`localhost:${host.port} Basic ${Buffer.from('me:word').toString('base64')}`]);
    expect((await pull(args('b.onnx'), { ...env, NO_PROXY: 'example.org,localhost' })).code).toBe(0);
    expect(tunnels).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(['a.onnx', 'b.onnx']);
  });

  it('tunnels to where a host in NO_PROXY redirects', async () => {
    const file = randomBytes(1000);
    const store = await ModelHost.start((self) => (request, response) => self.send(request, response, file));
    const location = `https://127.0.0.1:${store.port}/blob`;
    const host = await ModelHost.start(() => (_request, response) => void response.writeHead(302, { location }).end());
    const { port, tunnels } = await startProxy(store);
    const env = { HTTPS_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: 'localhost' };
    expect((await pull([host.url('/model.onnx'), temporaryFolder(), '--checksum', checksum(file)], env)).code).toBe(0);
    expect(tunnels).toEqual([`127.0.0.1:${store.port} undefined`]);
  });

  it('names the host without the usual port, as the signature of a signed URL has it', async () => {
    const file = randomBytes(1000);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, file));
    const { port } = await startProxy(host);
    const args = ['https://localhost/model.onnx', temporaryFolder(), '--checksum', checksum(file)];
    expect((await pull(args, { HTTPS_PROXY: `http://127.0.0.1:${port}` })).code).toBe(0);
    expect(host.requests.map(({ host: name }) => name)).toEqual(['localhost']);
  });

  it('reaches a proxy by its address of IPv6', async () => {
    const file = randomBytes(1000);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, file));
    const { port } = await startProxy(host, '::1');
    const args = [host.url('/model.onnx'), temporaryFolder(), '--checksum', checksum(file)];
    expect((await pull(args, { HTTPS_PROXY: `http://[::1]:${port}` })).code).toBe(0);
  });
});

describe('pull of a file: URI', () => {
  it('copies the file', async () => {
    const [from, to] = [temporaryFolder(), temporaryFolder()];
    const file = randomBytes(3 * MIB);
    writeFileSync(join(from, 'model.onnx'), file);
    expect((await pull([pathToFileURL(join(from, 'model.onnx')).href, to, '--checksum', checksum(file)])).code).toBe(0);
    expect(readFileSync(join(to, 'model.onnx')).equals(file)).toBe(true);
    expect(readdirSync(to)).toEqual(['model.onnx']);
  });

  it('refuses a folder, a pipe that nobody writes to, and a file that is not there', async () => {
    const from = temporaryFolder();
    mkdirSync(join(from, 'folder'));
    spawnSync('mkfifo', [join(from, 'pipe')]);
    for (const [name, message] of [
      ['pipe', 'is no plain file'],
      ['folder', 'is a folder: only files and archives have a checksum'],
      ['none', 'cannot be read: ENOENT'],
    ]) {
      const result = await pull([pathToFileURL(join(from, name ?? '')).href, join(from, 'to'), '--no-checksum']);
      expect(result.code).toBe(73);
      expect(messages(result)).toContain(message);
    }
    expect(readdirSync(from)).toEqual(['folder', 'pipe']);
  });
});

describe('a pull that the disk or a limit forbids', () => {
  it('is refused before a byte is taken when the disk has no room', async () => {
    const host = await ModelHost.start(() => (_request, response) => {
      response.writeHead(200, { 'content-length': 2 ** 50 });
      response.write('x');
    });
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--no-checksum']);
    expect(result.code).toBe(73);
    expect(messages(result)).toMatch(/ has \d+ bytes free, and 1125899906842624 are needed$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['with', 'without'])('is refused beyond --max-bytes, %s a Content-Length', async (how) => {
    const host = await ModelHost.start(() => (_request, response) => {
      if (how === 'with') response.setHeader('content-length', 3 * MIB);
      response.write(Buffer.alloc(2 * MIB));
      response.end(Buffer.alloc(MIB));
    });
    const folder = temporaryFolder();
    const result = await pull([host.url('/model.onnx'), folder, '--no-checksum', '--max-bytes', '2MiB']);
    expect(result.code).toBe(73);
    expect(messages(result)).toContain('and --max-bytes is 2097152');
    expect(host.requests).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused where DIR cannot be written, and names it', async () => {
    const host = await ModelHost.start(() => (_request, response) => void response.end());
    // /proc takes no files, not even from root, whom permission bits do not stop.
    const result = await pull([host.url('/model.onnx'), '/proc/penstock', '--no-checksum']);
    expect(result.code).toBe(73);
    expect(messages(result)).toContain('the folder /proc/penstock cannot be made');
    expect(host.requests).toHaveLength(0);
  });
});

describe('two pulls of one file', () => {
  it('fetch it once: the second waits and finds it there', async () => {
    const file = randomBytes(3 * MIB);
    const host = await ModelHost.start((self) => (request, response) => {
      setTimeout(() => self.send(request, response, file), 1500);
    });
    const folder = temporaryFolder();
    const args = [host.url('/model.onnx'), folder, '--checksum', checksum(file)];
    const results = await Promise.all([pull(args), pull(args)]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(host.requests).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['model.onnx']);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });
});

describe('a signal to a pull', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('%s ends it at once with %i, and the next run goes on without waiting', async (signal, code) => {
    const file = randomBytes(3 * MIB);
    const host = await ModelHost.start(
      (self) => (request, response, count) =>
        self.send(request, response, file, { etag: '"one"', ...(count === 1 && { stallAfterBytes: 2 * MIB }) }),
    );
    const folder = temporaryFolder();
    const args = [host.url('/model.onnx'), folder, '--checksum', checksum(file)];
    const child = startPull(args);
    await vi.waitFor(() => expect(sizeOf(join(folder, 'model.onnx.partial'))).toBeGreaterThanOrEqual(MIB), 10_000);
    const signalled = performance.now();
    child.kill(signal);
    expect((await once(child, 'exit'))[0]).toBe(code);
    expect(performance.now() - signalled).toBeLessThan(1000);
    expect(readdirSync(folder).sort()).toEqual(['model.onnx.partial', 'model.onnx.partial.json']);
    const started = performance.now();
    expect((await pull(args)).code).toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(host.requests[1]?.range).toMatch(/^bytes=[1-9]/);
    expect(readFileSync(join(folder, 'model.onnx')).equals(file)).toBe(true);
  });
});

it('a pull that is asked for the impossible ends with 64 and says everything that is wrong', async () => {
  const { code, stderr } = await penstock(['pull', 'http://user:word@host/model.onnx', '/tmp', '--max-byte', '3']);
  expect(code).toBe(64);
  expect(stderr).toContain('penstock: URI: "http:" cannot be pulled');
  expect(stderr).toContain('--checksum sha256:HEX is needed');
  expect(stderr).toContain('did you mean --max-bytes?');
  expect(stderr).not.toContain('word@');
});
