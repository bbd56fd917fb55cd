import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { addon, type NativeFrontEnd, type NativeListener, type NativeRequestEvent } from '../../src/bridge/addon.js';
import { ENDLESS, catalogModel, collectUntil, createFixture, slowMessage, startEngine } from '../support/engine.js';

/** More than one batch of events. */
const MANY = 700;
const MOST_OF_TURN = 256;

const limits = { maxRequestBytes: 1 << 20, maxReceivingBytes: 0, maxConcurrentStreams: 1 };
const timeouts = { headersTimeoutMs: 0, requestTimeoutMs: 0, keepAliveTimeoutMs: 0 };
const options = { loops: 2, ...limits, ...timeouts, logsRequests: true, logsRefusals: false };

let listener: NativeListener;
let frontEnd: NativeFrontEnd | undefined;
let sockets: Socket[];
let batches: (readonly NativeRequestEvent[])[];

beforeAll(async () => {
  startEngine();
  addon.publishCatalog([catalogModel('slow', await createFixture('slow'))]);
});

afterAll(() => {
  addon.stopEngine();
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  frontEnd?.destroy();
  listener.close();
});

/** Asks for nothing more by itself. */
function start(onEvents = (events: readonly NativeRequestEvent[]) => void batches.push(events)): NativeFrontEnd {
  [sockets, batches] = [[], []];
  listener = addon.openListener({ name: 'http', host: '127.0.0.1', port: 0, maxConnections: 10, servedNatively: true });
  return addon.startFrontEnd(options, () => {}, onEvents);
}

function connected(): { readonly socket: Socket; readonly closed: Promise<unknown>; readonly answers: () => number } {
  const socket = connect(listener.port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (data) => (text += String(data)));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  return { socket, closed, answers: () => text.split('HTTP/1.1 ').length - 1 };
}

const REFUSED = 'POST /v2/models/none/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';

/** Requests that have been answered. */
async function refused(count: number): Promise<void> {
  const { socket, answers } = connected();
  socket.write(REFUSED.repeat(count));
  await vi.waitFor(() => expect(answers()).toBe(count), 20_000);
}

/** A request that runs for longer than any test, of a model that is entered when this resolves. */
async function runsForEver(): Promise<{ readonly closed: Promise<unknown> }> {
  const { body, jsonBytes } = slowMessage(ENDLESS);
  const { socket, closed } = connected();
  const head = `Inference-Header-Content-Length: ${jsonBytes}\r\nContent-Length: ${body.length}`;
  socket.write(`POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
  socket.write(body);
  await vi.waitFor(() => expect(addon.gauges().inFlightRequests).toBe(1), 10_000);
  return { closed };
}

const eventCount = (): number => batches.reduce((sum, events) => sum + events.length, 0);

describe('events of the native front end', () => {
  it('come in batches of bounded size, each only after it was asked for', async () => {
    frontEnd = start();
    await refused(MANY);
    await vi.waitFor(() => expect(batches).toHaveLength(1));
    await sleep(50);
    expect(batches).toHaveLength(1);
    while (eventCount() < MANY) {
      const before = batches.length;
      frontEnd.nextEvents();
      await vi.waitFor(() => expect(batches).toHaveLength(before + 1), 10_000);
    }
    expect(Math.max(...batches.map((events) => events.length))).toBeLessThanOrEqual(MOST_OF_TURN);
    frontEnd.nextEvents();
    await refused(1);
    await vi.waitFor(() => expect(eventCount()).toBe(MANY + 1), 10_000);
  });

  it('come after all were handed out and more was asked for', async () => {
    frontEnd = start();
    for (let expected = 1; expected <= 3; expected++) {
      await refused(1);
      await vi.waitFor(() => expect(eventCount()).toBe(expected), 10_000);
      frontEnd.nextEvents();
    }
  });

  it('that wait when it is destroyed are handed out, those of requests that it cuts off with them', async () => {
    frontEnd = start();
    await refused(MANY);
    const { closed } = await runsForEver();
    frontEnd.destroy();
    const events = batches.flat();
    expect(events).toHaveLength(MANY + 1);
    expect(events.at(-1)).toMatchObject({ kind: 'ended', path: '/v2/models/slow/infer', status: 'aborted' });
    await closed;
    await vi.waitFor(() => expect(addon.gauges().inFlightRequests).toBe(0), 10_000);
  });

  it('carry no more of a long path than a log line needs', async () => {
    frontEnd = start();
    const { socket, answers } = connected();
    socket.write(REFUSED.replace('none', 'n'.repeat(5000)));
    await vi.waitFor(() => expect(answers()).toBe(1), 10_000);
    await vi.waitFor(() => expect(eventCount()).toBe(1), 10_000);
    expect(batches[0]?.[0]?.path).toMatch(/^\/v2\/models\/n{1010}\.\.\.$/);
  });
});

describe('a native front end', () => {
  it('may be destroyed twice, and hears nothing afterwards', async () => {
    frontEnd = start();
    await refused(1);
    frontEnd.destroy();
    const told = batches.length;
    frontEnd.destroy();
    frontEnd.goAway();
    frontEnd.drain();
    frontEnd.nextEvents();
    await sleep(20);
    expect(batches).toHaveLength(told);
  });

  it('may be destroyed by whoever gets its last events', async () => {
    let calls = 0;
    frontEnd = start(() => {
      calls++;
      frontEnd?.destroy();
    });
    await refused(MANY);
    await vi.waitFor(() => expect(calls).toBeGreaterThan(1), 10_000);
  });

  it('that the class made by itself does nothing', () => {
    frontEnd = start();
    const empty = new (frontEnd.constructor as new () => NativeFrontEnd)();
    empty.goAway();
    empty.drain();
    empty.nextEvents();
    empty.destroy();
  });

  it('ends its connections when nobody has it any more', async () => {
    let isClosed = false;
    await (async () => {
      start();
      void (await runsForEver()).closed.then(() => (isClosed = true));
    })();
    frontEnd = undefined;
    expect(await collectUntil(() => isClosed)).toBe(true);
    await vi.waitFor(() => expect(addon.gauges().inFlightRequests).toBe(0), 10_000);
  });
});
