import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { collectUntil, ENDLESS, serveFixtures, slowMessage, TestSink, type TestCompletion } from '../support/engine.js';
import { binaryRequest, fp32, int64, type BinaryMessage, type TestTensor } from '../support/tensors.js';

/** Floats of a row: a range of 64 KiB. */
const WIDTH = 16384;
let sink: TestSink;

const wide = (value: number): BinaryMessage => binaryRequest([fp32('INPUT0', [1, WIDTH], new Float32Array(WIDTH).fill(value))]);

beforeAll(async () => {
  await serveFixtures(['identity_fp32', 'slow', 'two_in_one_out', 'big_out']);
  sink = new TestSink();
});

afterAll(() => addon.stopEngine());

describe('an output range', () => {
  it('is freed by release, which leaves an empty buffer behind', async () => {
    const { tails, ranges } = await sink.submit('identity_fp32', wide(1)).done;
    const [tail] = tails;
    const view = tail?.subarray(4, 8);
    expect(tail?.length).toBe(WIDTH * 4);
    expect(addon.gauges()).toMatchObject({ ranges: 1, rangeBytes: WIDTH * 4 });
    sink.native.release(ranges);
    expect([tail?.length, view?.length]).toEqual([0, 0]);
    expect(addon.gauges()).toMatchObject({ ranges: 0, rangeBytes: 0 });
  });

  it('is freed once, however often and by whatever names it is released', async () => {
    const first = await sink.submit('identity_fp32', wide(1)).done;
    const second = await sink.submit('identity_fp32', wide(2)).done;
    sink.native.release([...first.ranges, ...first.ranges, 0, 1e15]);
    sink.native.release(first.ranges);
    new TestSink().native.release(second.ranges);
    expect(addon.gauges().ranges).toBe(1);
    expect(second.tails[0]?.readFloatLE(WIDTH * 4 - 4)).toBe(2);
    sink.native.release(second.ranges);
  });

  it('is copied, not moved, by a transfer, so that no foreign buffer looks at it after its release', async () => {
    const { tails, ranges } = await sink.submit('identity_fp32', wide(3)).done;
    const buffer = tails[0]?.buffer as ArrayBuffer;
    const clone = structuredClone(buffer, { transfer: [buffer] });
    expect(tails[0]?.length).toBe(WIDTH * 4);
    sink.native.release(ranges);
    expect([tails[0]?.length, new Float32Array(clone)[WIDTH - 1]]).toEqual([0, 3]);
  });

  it('outlives its sink and is then freed with its buffer by the garbage collector', async () => {
    const own = new TestSink();
    const held = [await own.submit('identity_fp32', wide(4)).done];
    own.native.close();
    expect(held[0]?.tails[0]?.readFloatLE(0)).toBe(4);
    expect(addon.gauges().ranges).toBe(1);
    held.length = 0;
    expect(await collectUntil(() => addon.gauges().ranges === 0)).toBe(true);
    expect(addon.gauges().rangeBytes).toBe(0);
  });

  it('that nobody releases is freed by the garbage collector', async () => {
    // Not awaited here: a suspended function holds on to what it has awaited.
    const statuses = await Promise.all(
      Array.from({ length: 50 }, (_, i) => sink.submit('identity_fp32', wide(i)).done.then(({ status }) => status)),
    );
    expect(new Set(statuses)).toEqual(new Set([0]));
    expect(addon.gauges().ranges).toBe(50);
    expect(await collectUntil(() => addon.gauges().ranges === 0)).toBe(true);
    expect(addon.gauges()).toMatchObject({ rangeBytes: 0, blockBytes: 0 });
  });

  it('that is large is not copied on its way, and its memory serves the next one', async () => {
    const count = 64 << 20;
    const request = binaryRequest([int64('n', [1], [BigInt(count / 4)])]);
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 4; i++) {
      const { tails, ranges } = await sink.submit('big_out', request).done;
      expect(tails.reduce((sum, { length }) => sum + length, 0)).toBe(count);
      expect(process.memoryUsage.rss() - before).toBeLessThan(1.5 * count);
      sink.native.release(ranges);
    }
  });
});

describe('a large answer', () => {
  it('counts as bytes in flight until it is released', async () => {
    const { ranges } = await sink.submit('identity_fp32', wide(1)).done;
    expect(addon.gauges()).toMatchObject({ inFlightRequests: 0 });
    expect(addon.gauges().inFlightBytes).toBe(WIDTH * 4);
    sink.native.release(ranges);
    expect(addon.gauges().inFlightBytes).toBe(0);
  });

  it('counts until it is collected when nobody releases it', async () => {
    expect(await sink.submit('identity_fp32', wide(1)).done.then(({ status }) => status)).toBe(0);
    expect(addon.gauges().inFlightBytes).toBeGreaterThan(0);
    expect(await collectUntil(() => addon.gauges().inFlightBytes === 0)).toBe(true);
  });
});

describe('the bytes of outputs', () => {
  /** Of `big_out`: handed out, copied. */
  async function countedOf(infer: () => Promise<TestCompletion>): Promise<readonly [number, number]> {
    const [before] = addon.statistics('big_out', '');
    const { status, ranges } = await infer();
    expect(status).toBe(0);
    sink.native.release(ranges);
    const [after] = addon.statistics('big_out', '');
    const grown = (name: 'bytesHandedOut' | 'outputBytesCopied'): number => (after?.[name] ?? 0) - (before?.[name] ?? 0);
    return [grown('bytesHandedOut'), grown('outputBytesCopied')];
  }
  const count = (bytes: number): TestTensor => int64('n', [1], [BigInt(bytes / 4)]);
  const http = (bytes: number) => (): Promise<TestCompletion> => sink.infer('big_out', [count(bytes)]);

  it('are counted as handed out, and as copied only where they are', async () => {
    expect(await countedOf(http(1024))).toEqual([1024, 3 * 1024]);
    expect(await countedOf(http(4096))).toEqual([4096, 4096]);
    expect(await countedOf(http(8192))).toEqual([8192, 0]);
    const text = JSON.stringify({ inputs: [{ name: 'n', datatype: 'INT64', shape: [1], data: [2048] }] });
    expect(await countedOf(() => sink.submit('big_out', Buffer.from(text)).done)).toEqual([8192, 0]);
  });
});

describe('an output beyond a gigabyte', () => {
  it('comes in several ranges, because a Buffer has an end', async () => {
    const count = 2 ** 30 + 4096 + 512;
    const { status, tails, ranges } = await sink.submit('big_out', binaryRequest([int64('n', [1], [BigInt(count / 4)])])).done;
    expect([status, ...tails.map(({ length }) => length)]).toEqual([0, 2 ** 30, 4096 + 512]);
    expect([tails[0]?.readFloatLE(2 ** 30 - 4), tails[1]?.readFloatLE(4096 + 508)]).toEqual([1, 1]);
    expect(addon.gauges().rangeBytes).toBe(count);
    sink.native.release(ranges);
    expect(addon.gauges()).toMatchObject({ ranges: 0, rangeBytes: 0 });
  });
});

describe('a borrowed request body', () => {
  /** Submits a body that nothing else refers to, and says when it is gone. */
  function submitOwned(
    own: TestSink,
    message: BinaryMessage,
    model = 'identity_fp32',
  ): { gone: () => boolean; token: number; done: Promise<unknown> } {
    const body = new Uint8Array(message.body);
    const watched = new WeakRef(body.buffer);
    const { token, done } = own.submit(model, { body: Buffer.from(body.buffer), jsonBytes: message.jsonBytes });
    return { gone: () => watched.deref() === undefined, token, done };
  }

  it('is let go when its request has been answered', async () => {
    const { gone, done } = submitOwned(sink, wide(1));
    await done;
    expect(await collectUntil(gone)).toBe(true);
  });

  it('is kept while its request waits, and let go when that is cancelled', async () => {
    const running = sink.submit('slow', slowMessage(ENDLESS));
    const waiting = submitOwned(sink, slowMessage(ENDLESS), 'slow');
    expect(await collectUntil(waiting.gone, 5)).toBe(false);
    sink.native.cancel(waiting.token);
    await waiting.done;
    expect(await collectUntil(waiting.gone)).toBe(true);
    sink.native.cancel(running.token);
    await running.done;
  });

  it('is let go when its request is refused, without another request', async () => {
    const { gone, done } = submitOwned(sink, wide(1), 'unknown');
    expect(await done).toMatchObject({ status: 300 });
    expect(await collectUntil(gone)).toBe(true);
  });

  it('is let go when its sink is closed with the request in the queue', async () => {
    const running = sink.submit('slow', slowMessage(ENDLESS));
    const own = new TestSink();
    const { gone } = submitOwned(own, slowMessage(ENDLESS), 'slow');
    own.native.close();
    expect(await collectUntil(gone)).toBe(true);
    sink.native.cancel(running.token);
    await running.done;
  });

  it('is copied once', async () => {
    const before = addon.statistics('two_in_one_out', '')[0];
    await sink.infer('two_in_one_out', [fp32('INPUT0', [1, 3], [1, 2, 3]), fp32('INPUT1', [1, 1], [4])]);
    const after = addon.statistics('two_in_one_out', '')[0];
    expect((after?.bytesReceived ?? 0) - (before?.bytesReceived ?? 0)).toBe(16);
    expect((after?.inputBytesCopied ?? 0) - (before?.inputBytesCopied ?? 0)).toBe(16);
  });
});
