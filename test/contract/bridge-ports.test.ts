import { closeSync } from 'node:fs';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { addon, type NativeConnections, type NativeListener } from '../../src/bridge/addon.js';
import { collectUntil } from '../support/engine.js';

let listener: NativeListener | undefined;

afterEach(() => listener?.close());

function open(maxConnections = 100, port = 0): NativeListener {
  listener = addon.openListener({ name: 'http', host: '127.0.0.1', port, maxConnections, servedNatively: false });
  return listener;
}

/** Takes connections and answers each with `greeting`. */
function greet(greeting: string, thread = 0): NativeConnections {
  const taken = addon.takeConnections('http', thread, (fd) => {
    const socket = new Socket({ fd, readable: true, writable: true });
    socket.on('error', () => {});
    socket.once('close', () => taken.ended());
    socket.write(greeting);
  });
  onTestFinished(() => taken.close());
  return taken;
}

/** Everything that the other side says first; empty when it closes without a word. */
function firstWords(port: number): Promise<{ readonly words: string; readonly socket: Socket }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.once('data', (data) => resolve({ words: String(data), socket }));
    socket.on('error', () => {});
    socket.once('close', () => resolve({ words: '', socket }));
  });
}

const counted = (): number => addon.connectionCounts().reduce((sum, { connections }) => sum + connections, 0);

it('that could not be opened counts no connections, and harms nobody who asks', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await vi.waitFor(() => expect(other.listening).toBe(true));
  const { port } = other.address() as AddressInfo;
  expect(() => addon.openListener({ name: 'grpc', host: '127.0.0.1', port, maxConnections: 1, servedNatively: false })).toThrow(
    'already in use',
  );
  expect(addon.connectionCounts()).toEqual([]);
});

describe('a port', () => {
  it('hands its connections to those who take them', async () => {
    const { port } = open();
    greet('a', 0);
    greet('b', 1);
    const answers = await Promise.all(Array.from({ length: 10 }, () => firstWords(port)));
    expect(answers.filter(({ words }) => words === 'a')).toHaveLength(5);
    expect(answers.filter(({ words }) => words === 'b')).toHaveLength(5);
    expect(addon.connectionCounts()).toEqual([
      { port: 'http', thread: 0, connections: 5 },
      { port: 'http', thread: 1, connections: 5 },
    ]);
    for (const { socket } of answers) socket.destroy();
    await vi.waitFor(() => expect(counted()).toBe(0));
  });

  it('closes connections beyond the limit, until others end', async () => {
    const { port } = open(1);
    greet('hello');
    const first = await firstWords(port);
    expect((await firstWords(port)).words).toBe('');
    first.socket.destroy();
    await vi.waitFor(() => expect(counted()).toBe(0));
    expect((await firstWords(port)).words).toBe('hello');
  });

  it('that is taken is refused in one sentence', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const message = `port ${port} is already in use; choose another with --http-port`;
    expect(() => open(1, port)).toThrow(expect.objectContaining({ status: 601, message }));
  });

  it('is opened once at a time, and again after it was closed', () => {
    open();
    expect(() => open()).toThrow('the port "http" is open already');
    listener?.close();
    listener?.close();
    expect(open().port).toBeGreaterThan(0);
  });

  it('delivers what had connected when it was closed', async () => {
    const { port } = open();
    greet('still served');
    const words = firstWords(port);
    await new Promise((resolve) => setTimeout(resolve, 50));
    listener?.close();
    expect((await words).words).toBe('still served');
    await expect(new Promise((_, reject) => connect(port, '127.0.0.1').once('error', reject))).rejects.toThrow('ECONNREFUSED');
  });

  it('is closed when nobody holds it any more', async () => {
    const openAndForget = (): number =>
      addon.openListener({ name: 'grpc', host: '127.0.0.1', port: 0, maxConnections: 1, servedNatively: false }).port;
    const port = openAndForget();
    let refused = false;
    expect(
      await collectUntil(() => {
        connect(port, '127.0.0.1')
          .once('error', () => (refused = true))
          .once('connect', function (this: Socket) {
            this.destroy();
          });
        return refused;
      }),
    ).toBe(true);
  });
});

describe('taking connections', () => {
  it('ends with what was on its way closed, and counts nothing from then on', async () => {
    const { port } = open();
    const fds: number[] = [];
    const taken = addon.takeConnections('http', 0, (fd) => {
      fds.push(fd);
      taken.close();
      taken.close();
      taken.ended();
    });
    const answers = Promise.all([firstWords(port), firstWords(port), firstWords(port)]);
    await vi.waitFor(() => expect(fds).toHaveLength(1));
    expect(addon.connectionCounts()).toEqual([]);
    for (const fd of fds) closeSync(fd);
    // Those that came after are still in the backlog.
    greet('later');
    for (const { words } of await answers) expect(['', 'later']).toContain(words);
  });

  it('ends when nobody holds it any more, and others take its turn', async () => {
    const { port } = open();
    const takeAndForget = (): void => void addon.takeConnections('http', 1, () => {});
    takeAndForget();
    expect(await collectUntil(() => addon.connectionCounts().length === 0)).toBe(true);
    greet('hello');
    expect((await firstWords(port)).words).toBe('hello');
  });

  it('ignores ends that it does not have', async () => {
    const { port } = open(1);
    const taken = greet('hello');
    taken.ended();
    expect((await firstWords(port)).words).toBe('hello');
    expect((await firstWords(port)).words).toBe('');
  });
});
