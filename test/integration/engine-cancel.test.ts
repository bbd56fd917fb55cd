import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { batchingOf, catalogModel, createFixture, ENDLESS, slowMessage, startEngine, TestSink } from '../support/engine.js';

const CANCELLED = { status: 402, message: 'the request was cancelled', head: null };
const TIMED_OUT = { status: 401, message: expect.stringContaining('Request timeout expired') as string, head: null };
/** Milliseconds; longer than the model is expected to run on a busy machine, or the request would be refused at once. */
const PATIENCE = 500;
const endless = slowMessage(ENDLESS);
let sink: TestSink;

/** Milliseconds until it resolves. */
async function timed(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const queued = (): number => addon.statistics('slow', '')[0]?.queueLength ?? -1;

beforeAll(async () => {
  startEngine({ maxInFlightRequests: 6 });
  addon.publishCatalog([catalogModel('slow', await createFixture('slow', { lanes: 1, batching: batchingOf({ maxQueueSize: 3 }) }))]);
  sink = new TestSink();
});

afterAll(() => addon.stopEngine());

describe('a request', () => {
  it('is cancelled in the middle of its run, within a second', async () => {
    const { token, done } = sink.submit('slow', endless);
    await until(() => queued() === 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    sink.native.cancel(token);
    expect(await timed(done)).toBeLessThan(1000);
    expect(await done).toMatchObject(CANCELLED);
    expect((await sink.submit('slow', slowMessage(1)).done).status).toBe(0);
  });

  it('is cancelled while it waits, at once, and leaves the running one alone', async () => {
    const running = sink.submit('slow', endless);
    await until(() => queued() === 0);
    const waiting = sink.submit('slow', endless);
    expect(queued()).toBe(1);
    sink.native.cancel(waiting.token);
    expect(queued()).toBe(0);
    expect(await timed(waiting.done)).toBeLessThan(200);
    expect(await waiting.done).toMatchObject(CANCELLED);
    sink.native.cancel(running.token);
    await running.done;
  });

  it('is cancelled only once, and neither afterwards nor by another token', async () => {
    const { token, done } = sink.submit('slow', slowMessage(1));
    sink.native.cancel(token + 1000);
    expect((await done).status).toBe(0);
    sink.native.cancel(token);
    const again = sink.submit('slow', endless);
    sink.native.cancel(again.token);
    sink.native.cancel(again.token);
    expect((await again.done).status).toBe(402);
  });

  it.each([
    ['the timeout of its call', (): ReturnType<TestSink['submit']> => sink.submit('slow', endless, PATIENCE)],
    ['its timeout parameter', (): ReturnType<TestSink['submit']> => sink.submit('slow', withTimeoutUs(PATIENCE * 1000))],
  ])('that has waited longer than %s is not run, and ends though the lane is busy', async (_what, submit) => {
    const running = sink.submit('slow', endless, 10);
    await until(() => queued() === 0);
    const late = submit();
    expect(await late.done).toMatchObject(TIMED_OUT);
    sink.native.cancel(running.token);
    expect((await running.done).status).toBe(402);
  });
});

function withTimeoutUs(timeout: number): typeof endless {
  const json = JSON.stringify({ parameters: { binary_data_output: true, timeout }, ...rest() });
  return { body: Buffer.concat([Buffer.from(json), endless.body.subarray(endless.jsonBytes)]), jsonBytes: Buffer.byteLength(json) };
}

function rest(): object {
  const { inputs } = JSON.parse(endless.body.toString('utf8', 0, endless.jsonBytes)) as { inputs: object };
  return { inputs };
}

describe('limits', () => {
  it('refuse at once what the queue, or the whole server, has no room for', async () => {
    const running = sink.submit('slow', endless);
    await until(() => queued() === 0);
    const waiting = [1, 2, 3].map(() => sink.submit('slow', endless));
    expect(await sink.submit('slow', endless).done).toMatchObject({
      status: 400,
      message: expect.stringContaining('maximum queue size') as string,
    });

    addon.publishCatalog([catalogModel('slow', await createFixture('slow', { lanes: 1 }))]);
    const others = [1, 2].map(() => sink.submit('slow', endless));
    expect(addon.gauges().inFlightRequests).toBe(6);
    expect(await sink.submit('slow', endless).done).toMatchObject({ status: 403 });

    const all = [running, ...waiting, ...others];
    for (const { token } of all) sink.native.cancel(token);
    expect((await Promise.all(all.map(({ done }) => done))).map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 402));
    expect(addon.gauges()).toMatchObject({ inFlightRequests: 0, inFlightBytes: 0 });
  });
});
