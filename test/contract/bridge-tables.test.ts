import { describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { DATA_TYPE_NAMES } from '../../src/bridge/data-type.js';
import { nativeError } from '../../src/bridge/native-errors.js';
import { ERRORS, type ErrorCode } from '../../src/errors.js';
import { declaredFields, declaredMethods } from '../support/declarations.js';
import { batchingOf, catalogModel, createFixture, openFixture, startEngine, TestSink } from '../support/engine.js';
import { fp32 } from '../support/tensors.js';

describe('the compiled addon', () => {
  it('knows the numbers and codes of the error table, no more and no fewer', () => {
    const expected = Object.entries(ERRORS).map(([code, { number }]) => [number, code]);
    expect(addon.statusCodes().filter(([number]) => number !== 0)).toEqual(expected);
  });

  it('has each of its numbers turned into a ServerError of the same code', () => {
    for (const [number, code] of addon.statusCodes()) {
      if (number !== 0) expect(nativeError(number, 'why')).toMatchObject({ code: code as ErrorCode, message: 'why' });
    }
  });

  it('has the data types of the bridge, in order', () => {
    expect(addon.dataTypes().map(([number, name]) => [number, name])).toEqual(DATA_TYPE_NAMES.map((name, number) => [number, name]));
  });

  it('gives every fixed-size data type the bytes that its name says', () => {
    for (const [, name, bytes] of addon.dataTypes()) {
      const bits = Number(/\d+$/.exec(name)?.[0] ?? (name === 'BOOL' ? 8 : 0));
      expect([name, bytes]).toEqual([name, bits / 8]);
    }
  });

  it('has latency bounds that rise', () => {
    const bounds = addon.latencyBoundsSeconds();
    expect([...bounds].sort((a, b) => a - b)).toEqual(bounds);
    expect(new Set(bounds).size).toBe(bounds.length);
  });

  it('exports the functions that the bridge declares, in the same order', () => {
    expect(Object.keys(addon)).toEqual(declaredMethods('NativeAddon'));
    expect(Object.values(addon).every((value) => typeof value === 'function')).toBe(true);
  });

  it('makes handles with the methods that the bridge declares', async () => {
    startEngine();
    const session = await openFixture('identity_fp32');
    const version = await createFixture('identity_fp32');
    const sink = new TestSink().native;
    const methods = (handle: object): string[] =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(handle)).filter((name) => name !== 'constructor');
    expect(methods(session)).toEqual(declaredMethods('NativeSession'));
    expect(methods(version)).toEqual(declaredMethods('NativeVersion'));
    expect(methods(sink)).toEqual(declaredMethods('NativeSink'));
    const listener = addon.openListener({ name: 'http', host: '127.0.0.1', port: 0, maxConnections: 1, servedNatively: false });
    const connections = addon.takeConnections('http', 3, () => {});
    expect(methods(listener)).toEqual(declaredMethods('NativeListener'));
    expect(Object.keys(listener)).toEqual(declaredFields('NativeListener'));
    expect(methods(connections)).toEqual(declaredMethods('NativeConnections'));
    const [count] = addon.connectionCounts();
    expect(Object.keys(count ?? {})).toEqual(declaredFields('NativeConnectionCount'));
    expect(count).toEqual({ port: 'http', thread: 3, connections: 0 });
    connections.close();
    listener.close();
    const limits = { maxRequestBytes: 1, maxReceivingBytes: 0, maxConcurrentStreams: 1 };
    const timeouts = { headersTimeoutMs: 0, requestTimeoutMs: 0, keepAliveTimeoutMs: 0 };
    const options = { loops: 1, ...limits, ...timeouts, logsRequests: false, logsRefusals: false };
    const frontEnd = addon.startFrontEnd(
      options,
      () => {},
      () => {},
    );
    expect(methods(frontEnd)).toEqual(declaredMethods('NativeFrontEnd'));
    frontEnd.destroy();
  });

  it('fills the records that the bridge declares, field by field', async () => {
    const version = await createFixture('identity_fp32');
    addon.publishCatalog([catalogModel('identity_fp32', version)]);
    const sink = new TestSink();
    const reply = await sink.infer('identity_fp32', [fp32('INPUT0', [1, 2], [1, 2])]);
    const session = await openFixture('identity_fp32');
    const signature = session.signature();
    const created = await addon.createVersion(session, {
      modelName: 'identity_fp32',
      version: 1,
      maxBatchSize: 8,
      inputs: signature.inputs,
      outputs: signature.outputs,
      lanes: 1,
      lanesIfFaster: false,
      batching: batchingOf(),
      paddedInputs: [],
      cutOutputs: [],
      conversions: [],
    });
    const [statistics] = addon.statistics('identity_fp32', '');
    const records: readonly (readonly [string, object | null | undefined])[] = [
      ['NativeCompletion', reply],
      ['NativeRefusal', sink.native.submitHttp(9, 'unknown', '', [Buffer.from('{"inputs":[]}')], -1, 0)],
      ['NativeCreatedVersion', created],
      ['NativeSignature', signature],
      ['NativeTensorSpec', signature.inputs[0]],
      ['NativeGauges', addon.gauges()],
      ['NativeStatistics', statistics],
      ['NativeGpuReport', addon.gpus()],
      ['NativeDuration', statistics?.success],
      ['NativeLatencies', statistics?.latencies.http],
      ['NativeHistogram', statistics?.latencies.http.queueSeconds],
    ];
    for (const [name, record] of records)
      expect([name, ...Object.keys(record ?? {}).sort()]).toEqual([name, ...declaredFields(name).sort()]);
    expect(statistics?.latencies.grpc.queueSeconds.buckets).toHaveLength(addon.latencyBoundsSeconds().length + 1);
  });
});
