import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon, type NativeCatalogModel } from '../../src/bridge/addon.js';
import { createVersion, openSession, publishCatalog } from '../../src/bridge/control.js';
import { Inference, RefusedError, type HttpInferMessage } from '../../src/bridge/inference.js';
import { ServerError } from '../../src/errors.js';
import {
  batchingOf,
  catalogModel,
  collectUntil,
  createFixture,
  ENDLESS,
  laneThreads,
  onCpu,
  openFixture,
  serveFixtures,
  slowMessage,
  TestSink,
} from '../support/engine.js';
import { binaryRequest, fp32 } from '../support/tensors.js';

const CLOSED = expect.objectContaining({ status: 505 }) as Error;
const one = binaryRequest([fp32('INPUT0', [1, 1], [1])]);
const spec = {
  modelName: 'identity_fp32',
  version: 1,
  maxBatchSize: 0,
  inputs: [],
  outputs: [],
  lanes: 1,
  lanesIfFaster: false,
  batching: batchingOf(),
  paddedInputs: [],
  cutOutputs: [],
  conversions: [],
};
/** What stays in the catalog throughout, with one lane each. */
const SERVED_LANES = 2;
let served: NativeCatalogModel[];
let sink: TestSink;

const inFlight = (): number => addon.gauges().inFlightRequests;

const works = async (model: string): Promise<boolean> => (await sink.submit(model, one).done).status === 0;

beforeAll(async () => {
  const [identity, slow] = await serveFixtures(['identity_fp32', 'slow']);
  served = [catalogModel('identity_fp32', identity ?? null), catalogModel('slow', slow ?? null)];
  sink = new TestSink();
});

afterAll(() => {
  expect(addon.stopEngine()).toBe(true);
  expect(addon.stopEngine()).toBe(true);
  expect(laneThreads()).toBe(0);
  expect(sink.native.submitHttp(1, 'slow', '', [one.body], one.jsonBytes, 0)).toMatchObject({ status: 500 });
});

describe('a session handle', () => {
  it('is of no use once closed, and may be closed again', async () => {
    const session = await openFixture('scalar');
    session.close();
    session.close();
    expect(() => session.signature()).toThrow(CLOSED);
    expect(() => addon.createVersion(session, spec)).toThrow(CLOSED);
  });

  it('may be dropped while a version made from it serves', async () => {
    addon.publishCatalog([...served, catalogModel('other', await createFixture('identity_fp32'))]);
    await collectUntil(() => false, 5);
    expect(await works('other')).toBe(true);
    addon.publishCatalog(served);
  });
});

describe('a version handle', () => {
  it('is of no use once closed, and the catalog stays as it was', async () => {
    const version = await createFixture('identity_fp32');
    version.close();
    version.close();
    expect(() => addon.publishCatalog([catalogModel('other', version)])).toThrow(CLOSED);
    expect(await works('identity_fp32')).toBe(true);
  });

  it('ends its lanes when it is closed before anybody has published it', async () => {
    const version = await createFixture('identity_fp32', { lanes: 3 });
    await expect.poll(laneThreads).toBe(SERVED_LANES + 3);
    version.close();
    await expect.poll(laneThreads).toBe(SERVED_LANES);
  });

  it('may be collected while the catalog holds its version; the lanes go when both have let go', async () => {
    await (async () => addon.publishCatalog([...served, catalogModel('other', await createFixture('identity_fp32', { lanes: 2 }))]))();
    await collectUntil(() => false, 5);
    await expect.poll(laneThreads).toBe(SERVED_LANES + 2);
    expect(await works('other')).toBe(true);
    addon.publishCatalog(served);
    expect(await collectUntil(() => laneThreads() === SERVED_LANES)).toBe(true);
  });

  it('closed while its version runs lets the run end', async () => {
    const version = await createFixture('slow');
    addon.publishCatalog([...served, catalogModel('other', version)]);
    const { done } = sink.submit('other', slowMessage(300));
    addon.publishCatalog(served);
    version.close();
    expect(await done).toMatchObject({ status: 0 });
  });
});

describe('a sink', () => {
  it('that is closed with requests in flight ends them and is never called again', async () => {
    const own = new TestSink();
    for (let i = 0; i < 5; i++) void own.submit('slow', slowMessage(ENDLESS));
    own.native.close();
    await expect.poll(inFlight).toBe(0);
    expect(own.callbacks).toBe(0);
  });

  it('that is closed refuses, and may be closed, cancelled on and released to again', async () => {
    const own = new TestSink();
    own.native.close();
    own.native.close();
    own.native.cancel(1);
    own.native.release([1]);
    expect(await own.submit('identity_fp32', one).done).toMatchObject({ status: 505, message: 'the sink is closed' });
    expect(await own.submitGrpc(Buffer.alloc(1)).done).toMatchObject({ status: 505 });
  });

  it('may be closed in its own callback, with the rest of that turn undelivered', async () => {
    let calls = 0;
    const own = addon.openSink(() => {
      calls++;
      own.close();
    });
    for (let token = 1; token <= 50; token++) expect(own.submitHttp(token, 'identity_fp32', '', [one.body], one.jsonBytes, 0)).toBeNull();
    await expect.poll(inFlight).toBe(0);
    await expect.poll(() => calls).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toBe(1);
  });

  it('is closed by the garbage collector when nobody holds it, requests and all', async () => {
    (() => {
      const own = addon.openSink(() => expect.unreachable());
      own.submitHttp(1, 'slow', '', [slowMessage(ENDLESS).body], slowMessage(ENDLESS).jsonBytes, 0);
    })();
    expect(addon.gauges().inFlightRequests).toBe(1);
    expect(await collectUntil(() => addon.gauges().inFlightRequests === 0)).toBe(true);
  });

  it('does not disturb another sink by its end', async () => {
    const own = new TestSink();
    const kept = sink.submit('slow', slowMessage(500));
    void own.submit('slow', slowMessage(ENDLESS));
    own.native.close();
    expect(await kept.done).toMatchObject({ status: 0 });
  });
});

describe('failures', () => {
  const message = (change: Partial<HttpInferMessage> = {}): HttpInferMessage => ({
    model: 'identity_fp32',
    version: '',
    chunks: [one.body],
    jsonBytes: one.jsonBytes,
    timeoutMs: 0,
    ...change,
  });

  it('of the control plane come as ServerError', async () => {
    await expect(openSession(onCpu('/nowhere/model.onnx'))).rejects.toMatchObject({ name: 'ServerError', code: 'ERR_MODEL_LOAD' });
    const session = await openSession(onCpu('test/fixtures/models/identity_fp32/1/model.onnx'));
    await expect(createVersion(session, spec)).rejects.toMatchObject({ name: 'ServerError', code: 'ERR_MODEL_CONFIG' });
    session.close();
    await expect(createVersion(session, spec)).rejects.toMatchObject({ name: 'ServerError', code: 'ERR_CLOSED' });
    expect(() => publishCatalog({} as never)).toThrow(ServerError);
  });

  it('of a request come as ServerError: thrown when refused at once, handed over when they come later', async () => {
    const inference = new Inference();
    const never = { onReply: () => expect.unreachable(), onError: () => expect.unreachable() };
    const refused = (change: Partial<HttpInferMessage>): unknown => {
      try {
        return inference.submitHttp(message(change), never);
      } catch (thrown) {
        return thrown;
      }
    };
    expect(refused({ model: 'unknown' })).toBeInstanceOf(RefusedError);
    expect(refused({ version: 'x' })).toMatchObject({ code: 'ERR_REQUEST_FIELD' });
    expect(refused({ jsonBytes: 1e9 })).toMatchObject({ code: 'ERR_REQUEST_HEADER' });
    expect(inference.pending).toBe(0);

    const slow = slowMessage(ENDLESS);
    const error = await new Promise<ServerError>((resolve) => {
      const handler = { onReply: () => expect.unreachable(), onError: resolve };
      const token = inference.submitHttp(message({ model: 'slow', chunks: [slow.body], jsonBytes: slow.jsonBytes }), handler);
      inference.cancel(token);
    });
    expect(error).toMatchObject({ name: 'ServerError', code: 'ERR_REQUEST_CANCELLED' });
    inference.submitHttp(message(), never);
    inference.close();
    inference.close();
    expect(refused({})).toMatchObject({ code: 'ERR_CLOSED' });
  });
});
