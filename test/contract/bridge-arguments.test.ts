import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon, type NativeCompletion, type NativeSession, type NativeSink, type NativeVersion } from '../../src/bridge/addon.js';
import { batchingOf, catalogModel, NO_GPU, onCpu, openFixture, startEngine, TestSink } from '../support/engine.js';

/* Types are left behind on purpose: this is what the addon meets when a caller of it has a bug. */
type Loose = Record<string, (...values: unknown[]) => unknown>;
const native = addon as unknown as Loose;

const body = Buffer.from(JSON.stringify({ inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] }));
const tensor = (name: string): object => ({ name, dataType: 11, dims: [-1, -1], optional: false });
const spec = {
  modelName: 'identity_fp32',
  version: 1,
  maxBatchSize: 8,
  inputs: [tensor('INPUT0')],
  outputs: [tensor('OUTPUT0')],
  lanes: 1,
  lanesIfFaster: false,
  batching: batchingOf(),
  paddedInputs: [],
  cutOutputs: [],
  conversions: [],
};
const conversion = { input: 'INPUT0', from: 2, scale: [1], offset: [0], inner: 1 };
const limits = { maxRequestBytes: 1, maxInFlightRequests: 0, maxInFlightBytes: 0 };
const engineOptions = { ortLibrary: 'none.so', intraOpThreads: 1, ...limits, laneSpinUs: 0, cpus: 1, gpu: NO_GPU };
const listenOptions = { name: 'http', host: '127.0.0.1', port: 0, maxConnections: 1, servedNatively: false };
const frontEndOptions = {
  loops: 1,
  maxRequestBytes: 1,
  maxReceivingBytes: 0,
  maxConcurrentStreams: 1,
  headersTimeoutMs: 0,
  requestTimeoutMs: 0,
  keepAliveTimeoutMs: 0,
  logsRequests: false,
  logsRefusals: false,
};
const row = { version: 1, handle: null, reason: '', metadataJson: '{}', configJson: '{}' };
const model = { name: 'm', defaultVersion: 0, metadataJson: '{}', versions: [row] };

let session: NativeSession;
let version: NativeVersion;
/** A version with the prototype of a session. */
let disguised: unknown;
let sink: NativeSink;
let loose: Loose;

beforeAll(async () => {
  startEngine();
  session = await openFixture('identity_fp32');
  version = (await addon.createVersion(session, spec as never)).handle;
  disguised = Object.setPrototypeOf(
    (await addon.createVersion(session, spec as never)).handle,
    Object.getPrototypeOf(session) as object,
  ) as unknown;
  addon.publishCatalog([catalogModel('identity_fp32', version)]);
  sink = new TestSink().native;
  loose = sink as unknown as Loose;
});

afterAll(() => {
  addon.stopEngine();
});

/** An array with a getter at one place. */
function withGetter(index: number, get: () => unknown): unknown[] {
  return Object.defineProperty([body, body], index, { get });
}

const boom = (): never => {
  throw new Error('a getter threw');
};

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

const submitHttp = (...values: unknown[]): unknown => loose['submitHttp']?.(...values);
const withChunks = (chunks: unknown): unknown => submitHttp(1, 'identity_fp32', '', chunks, -1, 0);
const createVersion = (change: object): unknown => native['createVersion']?.(session, { ...spec, ...change });
const createBatching = (change: object): unknown => createVersion({ batching: { ...spec.batching, ...change } });
const startFrontEnd = (change: object, ...callbacks: unknown[]): unknown =>
  native['startFrontEnd']?.({ ...frontEndOptions, ...change }, ...callbacks);
const policy = spec.batching.defaultQueuePolicy;
const publishVersion = (change: object): unknown => native['publishCatalog']?.([{ ...model, versions: [{ ...row, ...change }] }]);
const WHOLE = 'a whole number from';

/** What is called, and the complaint: the path of the wrong field, what was expected. */
const COMPLAINTS: readonly (readonly [string, () => unknown, string])[] = [
  ['startEngine without options', () => native['startEngine']?.(), 'startEngine: expected an object'],
  ['startEngine with a missing field', () => native['startEngine']?.({}), 'startEngine.ortLibrary: expected a string'],
  [
    'startEngine with no thread',
    () => native['startEngine']?.({ ...engineOptions, intraOpThreads: 0 }),
    `startEngine.intraOpThreads: expected ${WHOLE} 1 to 1024`,
  ],
  [
    'startEngine with half a byte',
    () => native['startEngine']?.({ ...engineOptions, maxRequestBytes: 1.5 }),
    `startEngine.maxRequestBytes: expected ${WHOLE} 1`,
  ],
  [
    'startEngine with lanes that spin for ever',
    () => native['startEngine']?.({ ...engineOptions, laneSpinUs: 10_001 }),
    `startEngine.laneSpinUs: expected ${WHOLE} 0 to 10000`,
  ],
  ['startEngine without a CPU', () => native['startEngine']?.({ ...engineOptions, cpus: 0 }), `startEngine.cpus: expected ${WHOLE} 1`],
  [
    'startEngine with a wrong word about GPUs',
    () => native['startEngine']?.({ ...engineOptions, gpu: { ...NO_GPU, allowed: 'off' } }),
    'startEngine.gpu.allowed: expected true or false',
  ],
  [
    'startEngine with a probe of nothing',
    () => native['startEngine']?.({ ...engineOptions, gpu: { ...NO_GPU, probeBytes: 0 } }),
    `startEngine.gpu.probeBytes: expected ${WHOLE} 1`,
  ],
  ['startEngine twice', () => native['startEngine']?.(engineOptions), 'the engine of this process was started before'],
  ['openSession of nothing', () => native['openSession']?.(), 'openSession: expected an object'],
  ['openSession of null', () => native['openSession']?.(null), 'openSession: expected an object'],
  ['openSession with a number', () => native['openSession']?.({ modelPath: 1 }), 'openSession.modelPath: expected a string'],
  [
    'openSession with a negative count',
    () => native['openSession']?.({ modelPath: 'x', intraOpThreads: -1 }),
    `openSession.intraOpThreads: expected ${WHOLE} 0`,
  ],
  ['openSession on a GPU by number', () => native['openSession']?.({ ...onCpu('x'), gpus: [0] }), 'openSession.gpus[0]: expected a string'],
  [
    'openSession with an option that is no text',
    () => native['openSession']?.({ ...onCpu('x'), providerOptions: { use_tf32: 1 } }),
    'openSession.providerOptions.use_tf32: expected a string',
  ],
  ['createVersion of nothing', () => native['createVersion']?.(), 'expected a session handle'],
  ['createVersion of a plain object', () => native['createVersion']?.({}, spec), 'expected a session handle'],
  ['createVersion of a version', () => native['createVersion']?.(version, spec), 'expected a session handle'],
  [
    'createVersion of an object with the prototype of a session',
    () => native['createVersion']?.(Object.create(Object.getPrototypeOf(session) as object), spec),
    'expected a session handle',
  ],
  [
    'createVersion of a version with the prototype of a session',
    () => native['createVersion']?.(disguised, spec),
    'expected a session handle',
  ],
  [
    'createVersion of a session that the class made by itself',
    () => native['createVersion']?.(new (session.constructor as new () => object)(), spec),
    'expected a session handle',
  ],
  ['createVersion of a proxy', () => native['createVersion']?.(new Proxy(session, {}), spec), 'expected a session handle'],
  ['createVersion without options', () => native['createVersion']?.(session), 'createVersion: expected an object'],
  ['createVersion with inputs that are no array', () => createVersion({ inputs: {} }), 'createVersion.inputs: expected an array'],
  [
    'createVersion with a hole among its inputs',
    () => createVersion({ inputs: new Array(1) }),
    'createVersion.inputs[0]: expected an object',
  ],
  [
    'createVersion with an input of no type',
    () => createVersion({ inputs: [{ ...tensor('INPUT0'), dataType: 0 }] }),
    `createVersion.inputs[0].dataType: expected ${WHOLE} 1 to 14`,
  ],
  [
    'createVersion with a dimension that is no number',
    () => createVersion({ inputs: [{ ...tensor('INPUT0'), dims: [-1, '2'] }] }),
    `createVersion.inputs[0].dims[1]: expected ${WHOLE} -1`,
  ],
  [
    'createVersion with an input that is neither optional nor required',
    () => createVersion({ inputs: [{ ...tensor('INPUT0'), optional: 1 }] }),
    'createVersion.inputs[0].optional: expected true or false',
  ],
  [
    'createVersion with a dimension below -1',
    () => createVersion({ outputs: [{ ...tensor('OUTPUT0'), dims: [-2] }] }),
    `createVersion.outputs[0].dims[0]: expected ${WHOLE} -1`,
  ],
  ['createVersion with NaN lanes', () => createVersion({ lanes: NaN }), `createVersion.lanes: expected ${WHOLE} 1 to 1024`],
  [
    'createVersion beyond exact numbers',
    () => createBatching({ maxQueueBytes: 2 ** 53 }),
    `createVersion.batching.maxQueueBytes: expected ${WHOLE} 0`,
  ],
  ['createVersion without batching', () => createVersion({ batching: undefined }), 'createVersion.batching: expected an object'],
  [
    'createVersion with lanes that may be faster',
    () => createVersion({ lanesIfFaster: 'maybe' }),
    'createVersion.lanesIfFaster: expected true or false',
  ],
  [
    'createVersion with another kind of merging',
    () => createBatching({ merge: 'sometimes' }),
    'createVersion.batching.merge: expected "never", "always" or "checked"',
  ],
  [
    'createVersion with a preferred size of no rows',
    () => createBatching({ preferredBatchSizes: [4, 0] }),
    `createVersion.batching.preferredBatchSizes[1]: expected ${WHOLE} 1`,
  ],
  [
    'createVersion with a default level that is none of its levels',
    () => createBatching({ priorityLevels: 2, defaultPriorityLevel: 3 }),
    `createVersion.batching.defaultPriorityLevel: expected ${WHOLE} 1 to 2`,
  ],
  [
    'createVersion with a policy that is no object',
    () => createBatching({ defaultQueuePolicy: 5 }),
    'createVersion.batching.defaultQueuePolicy: expected an object',
  ],
  [
    'createVersion with an endless timeout',
    () =>
      createBatching({
        priorityLevels: 1,
        defaultPriorityLevel: 1,
        priorityQueuePolicies: [{ level: 1, policy: { ...policy, defaultTimeoutUs: Infinity } }],
      }),
    `createVersion.batching.priorityQueuePolicies[0].policy.defaultTimeoutUs: expected ${WHOLE} 0`,
  ],
  [
    'createVersion with a latency goal below 0',
    () => createBatching({ latencyGoalMs: -0.5 }),
    'createVersion.batching.latencyGoalMs: expected a number from 0',
  ],
  [
    'createVersion with a padding for no dimension',
    () => createVersion({ paddedInputs: [{ input: 'INPUT0', dim: 0, value: [0] }] }),
    `createVersion.paddedInputs[0].dim: expected ${WHOLE} 1`,
  ],
  [
    'createVersion with a padding that is no byte',
    () => createVersion({ paddedInputs: [{ input: 'INPUT0', dim: 1, value: [0, 256] }] }),
    `createVersion.paddedInputs[0].value[1]: expected ${WHOLE} 0 to 255`,
  ],
  [
    'createVersion with outputs to cut that are no array',
    () => createVersion({ cutOutputs: {} }),
    'createVersion.cutOutputs: expected an array',
  ],
  [
    'createVersion with conversions that are no array',
    () => createVersion({ conversions: {} }),
    'createVersion.conversions: expected an array',
  ],
  [
    'createVersion with a scale that is no number',
    () => createVersion({ conversions: [{ ...conversion, scale: [1, '2'] }] }),
    'createVersion.conversions[0].scale[1]: expected a number from -3.40282e+38 to 3.40282e+38',
  ],
  [
    'createVersion with NaN for an offset',
    () => createVersion({ conversions: [conversion, { ...conversion, offset: [NaN] }] }),
    'createVersion.conversions[1].offset[0]: expected a number from',
  ],
  [
    'createVersion with a conversion of no elements',
    () => createVersion({ conversions: [{ ...conversion, inner: 0 }] }),
    `createVersion.conversions[0].inner: expected ${WHOLE} 1`,
  ],
  ['publishCatalog of nothing', () => native['publishCatalog']?.(), 'publishCatalog: expected an array'],
  ['publishCatalog with a hole', () => native['publishCatalog']?.(new Array(1)), 'publishCatalog[0]: expected an object'],
  ['publishCatalog without a name', () => native['publishCatalog']?.([{}]), 'publishCatalog[0].name: expected a string'],
  [
    'publishCatalog with a bad version number',
    () => native['publishCatalog']?.([model, { ...model, versions: [row, { ...row, version: 0 }] }]),
    `publishCatalog[1].versions[1].version: expected ${WHOLE} 1`,
  ],
  ['publishCatalog with no handle at all', () => publishVersion({ handle: undefined }), 'expected a version handle'],
  ['publishCatalog with a session', () => publishVersion({ handle: session }), 'expected a version handle'],
  [
    'publishCatalog with a sink that has the prototype of a version',
    () => publishVersion({ handle: Object.setPrototypeOf(new TestSink().native, Object.getPrototypeOf(version) as object) as unknown }),
    'expected a version handle',
  ],
  ['describe of nothing', () => native['describe']?.(), 'describe.kind: expected a string'],
  ['describe of an unknown kind', () => native['describe']?.('labels', 'm', ''), 'describe.kind: expected "metadata" or "config"'],
  ['statistics of a number', () => native['statistics']?.(1, ''), 'statistics.model: expected a string'],
  ['statistics without a version', () => native['statistics']?.(''), 'statistics.version: expected a string'],
  ['publishHealth of an object', () => native['publishHealth']?.({}), 'publishHealth.json: expected a string'],
  ['exitNow of nothing', () => native['exitNow']?.(), `exitNow.code: expected ${WHOLE} 0 to 255`],
  ['exitNow beyond a byte', () => native['exitNow']?.(256), `exitNow.code: expected ${WHOLE} 0 to 255`],
  ['openSink of nothing', () => native['openSink']?.(), 'openSink.onCompletions: expected a function'],
  ['openSink of an object', () => native['openSink']?.({}), 'openSink.onCompletions: expected a function'],
  ['openListener of nothing', () => native['openListener']?.(), 'openListener: expected an object'],
  [
    'openListener of an unknown port',
    () => native['openListener']?.({ ...listenOptions, name: 'metrics' }),
    'openListener.name: expected "http" or "grpc"',
  ],
  [
    'openListener beyond the last port',
    () => native['openListener']?.({ ...listenOptions, port: 65_536 }),
    `openListener.port: expected ${WHOLE} 0 to 65535`,
  ],
  [
    'openListener for no connection',
    () => native['openListener']?.({ ...listenOptions, maxConnections: 0 }),
    `openListener.maxConnections: expected ${WHOLE} 1`,
  ],
  ['takeConnections of nothing', () => native['takeConnections']?.(), 'takeConnections.name: expected a string'],
  [
    'takeConnections of a thread below 0',
    () => native['takeConnections']?.('http', -1, () => {}),
    `takeConnections.thread: expected ${WHOLE} 0 to 1023`,
  ],
  [
    'takeConnections without a function',
    () => native['takeConnections']?.('http', 0, {}),
    'takeConnections.onConnection: expected a function',
  ],
  [
    'takeConnections of a port that is not open',
    () => native['takeConnections']?.('http', 0, () => {}),
    'takeConnections.name: no port "http" was opened',
  ],
  ['startFrontEnd of nothing', () => native['startFrontEnd']?.(), 'startFrontEnd: expected an object'],
  ['startFrontEnd without a loop', () => startFrontEnd({ loops: 0 }), `startFrontEnd.loops: expected ${WHOLE} 1 to 64`],
  [
    'startFrontEnd with a limit below 0',
    () => startFrontEnd({ maxReceivingBytes: -1 }),
    `startFrontEnd.maxReceivingBytes: expected ${WHOLE} 0`,
  ],
  [
    'startFrontEnd without a stream',
    () => startFrontEnd({ maxConcurrentStreams: 0 }),
    `startFrontEnd.maxConcurrentStreams: expected ${WHOLE} 1 to 65535`,
  ],
  [
    'startFrontEnd with an endless timeout',
    () => startFrontEnd({ requestTimeoutMs: Infinity }),
    `startFrontEnd.requestTimeoutMs: expected ${WHOLE} 0 to 2147483647`,
  ],
  ['startFrontEnd with half a word', () => startFrontEnd({ logsRequests: 1 }), 'startFrontEnd.logsRequests: expected true or false'],
  ['startFrontEnd that nobody hears drain', () => startFrontEnd({}), 'startFrontEnd.onDrained: expected a function'],
  ['startFrontEnd that nobody listens to', () => startFrontEnd({}, () => {}, {}), 'startFrontEnd.onEvents: expected a function'],
  ['errorReply of nothing', () => native['errorReply']?.(), `errorReply.code: expected ${WHOLE} 1`],
  ['errorReply without a message', () => native['errorReply']?.(100), 'errorReply.message: expected a string'],
  ['errorReply without advice', () => native['errorReply']?.(100, ''), `errorReply.retryAfterMs: expected ${WHOLE} 0`],
  ['retryDelays of nothing', () => native['retryDelays']?.(), `retryDelays.adviceMs: expected ${WHOLE} 0`],
  ['retryDelays without chance', () => native['retryDelays']?.(1), 'retryDelays.unit: expected a number from 0 to below 1'],
  ['retryDelays of a symbol', () => native['retryDelays']?.(1, Symbol('u'), 0), 'retryDelays.unit: expected a number from 0 to below 1'],
  ['retryDelays of NaN', () => native['retryDelays']?.(1, NaN, 0), 'retryDelays.unit: expected a number from 0 to below 1'],
  ['retryDelays of a whole', () => native['retryDelays']?.(1, 0, 1), 'retryDelays.blur: expected a number from 0 to below 1'],
  ['submitHttp of nothing', () => submitHttp(), `submitHttp.token: expected ${WHOLE} 0`],
  ['submitHttp with a negative token', () => submitHttp(-1, 'm', '', [body], -1, 0), `submitHttp.token: expected ${WHOLE} 0`],
  [
    'submitHttp with a token that is a symbol',
    () => submitHttp(Symbol('t'), 'm', '', [body], -1, 0),
    `submitHttp.token: expected ${WHOLE} 0`,
  ],
  ['submitHttp without a model', () => submitHttp(1, undefined, '', [body], -1, 0), 'submitHttp.model: expected a string'],
  ['submitHttp with a version that is a number', () => submitHttp(1, 'm', 1, [body], -1, 0), 'submitHttp.version: expected a string'],
  ['submitHttp with a header length below -1', () => submitHttp(1, 'm', '', [body], -2, 0), `submitHttp.jsonBytes: expected ${WHOLE} -1`],
  ['submitHttp with an endless timeout', () => submitHttp(1, 'm', '', [body], -1, Infinity), `submitHttp.timeoutMs: expected ${WHOLE} 0`],
  ['submitHttp of a single buffer', () => withChunks(body), 'submitHttp.chunks: expected an array'],
  ['submitHttp of a proxy', () => withChunks(new Proxy([body], {})), 'submitHttp.chunks: expected an array'],
  ['submitHttp of a string', () => withChunks(['{}']), 'submitHttp.chunks[0]: expected a Uint8Array'],
  ['submitHttp of an ArrayBuffer', () => withChunks([body, new ArrayBuffer(8)]), 'submitHttp.chunks[1]: expected a Uint8Array'],
  ['submitHttp of a SharedArrayBuffer', () => withChunks([new SharedArrayBuffer(8)]), 'submitHttp.chunks[0]: expected a Uint8Array'],
  [
    'submitHttp of a sparse array',
    () => withChunks(Object.assign(new Array(4_000_000_000), [body])),
    'submitHttp.chunks[1]: expected a Uint8Array',
  ],
  ['submitGrpc of nothing', () => loose['submitGrpc']?.(1, undefined, 0), 'submitGrpc.message: expected a Uint8Array'],
  ['submitGrpc of an array', () => loose['submitGrpc']?.(1, [1, 2], 0), 'submitGrpc.message: expected a Uint8Array'],
  ['cancel of text', () => loose['cancel']?.('1'), `cancel.token: expected ${WHOLE} 0`],
  ['release of a number', () => loose['release']?.(1), 'release.ranges: expected an array'],
  ['release of a proxy', () => loose['release']?.(new Proxy([1], {})), 'release.ranges: expected an array'],
];

/** Getters that throw: their own error comes out. */
const GETTERS: readonly (readonly [string, () => unknown])[] = [
  ['the chunks of a request', () => withChunks(withGetter(1, boom))],
  ['an engine option', () => native['startEngine']?.(Object.defineProperty({ ...engineOptions }, 'maxInFlightBytes', { get: boom }))],
  ['a session option', () => native['openSession']?.(Object.defineProperty({}, 'modelPath', { get: boom }))],
  [
    'an option of a provider',
    () =>
      native['openSession']?.({
        ...onCpu('x'),
        providerOptions: {
          get use_tf32() {
            return boom();
          },
        },
      }),
  ],
  ['the GPUs of a session', () => native['openSession']?.({ ...onCpu('x'), gpus: withGetter(0, boom) })],
  ['an option of the front end', () => native['startFrontEnd']?.(Object.defineProperty({ ...frontEndOptions }, 'loops', { get: boom }))],
  ['a version option', () => createVersion(Object.defineProperty({}, 'lanes', { get: boom, enumerable: true }))],
  ['a batching option', () => createBatching(Object.defineProperty({}, 'preserveOrdering', { get: boom, enumerable: true }))],
  ['the inputs of a version', () => createVersion({ inputs: withGetter(1, boom) })],
  ['an input of a version', () => createVersion({ inputs: [Object.defineProperty({}, 'name', { get: boom })] })],
  ['the dims of an input', () => createVersion({ inputs: [{ ...tensor('INPUT0'), dims: withGetter(0, boom) }] })],
  ['a model of the catalog', () => native['publishCatalog']?.(withGetter(0, boom))],
  [
    'a handle in the catalog',
    () => native['publishCatalog']?.([{ ...model, versions: [Object.defineProperty({ ...row }, 'handle', { get: boom })] }]),
  ],
  ['the names of ranges', () => loose['release']?.(withGetter(0, boom))],
];

describe('calls with wrong arguments', () => {
  it.each(COMPLAINTS)('%s', (_what, call, complaint) => {
    expect(call).toThrow(complaint);
    expect(call).toThrow(expect.objectContaining({ status: 501 }));
  });

  it.each(GETTERS)('pass on what a getter throws: %s', (_what, call) => {
    expect(call).toThrow('a getter threw');
  });

  it('leave the published catalog as it was', () => {
    expect(addon.describe('config', 'identity_fp32', '')).toBe('{}');
  });

  it('refuse a method of one class on a handle of another', () => {
    const stolen = loose['submitHttp'];
    expect(() => stolen?.call(session, 1, 'm', '', [body], -1, 0)).toThrow(TypeError);
    expect(() => loose['close']?.call(Object.create(Object.getPrototypeOf(sink) as object))).toThrow(TypeError);
  });

  it('say that a sink which the class made by itself is closed', () => {
    const empty = new (sink.constructor as new () => NativeSink)();
    expect(empty.submitHttp(1, 'm', '', [body], -1, 0)).toMatchObject({ status: 505 });
  });

  it('do not hang when reading the chunks closes the sink', () => {
    const closing = new TestSink().native;
    const chunks = withGetter(1, () => {
      closing.close();
      return body;
    });
    expect(closing.submitHttp(1, 'identity_fp32', '', chunks as Uint8Array[], -1, 0)).toMatchObject({ status: 505 });
  });
});

describe('bodies of every kind', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(body.length));
  shared.set(body);
  const padded = Buffer.concat([Buffer.alloc(7), body]);
  const KINDS: readonly (readonly [string, readonly unknown[]])[] = [
    ['a Buffer', [body]],
    ['a view into the middle of a larger buffer', [new Uint8Array(padded.buffer, padded.byteOffset + 7, body.length)]],
    ['a DataView', [new DataView(body.buffer, body.byteOffset, body.length)]],
    ['shared memory', [shared]],
    ['one byte a chunk', Array.from(body, (_, index) => body.subarray(index, index + 1))],
    ['empty chunks between', [Buffer.alloc(0), body, new Uint8Array(0), detached()]],
  ];

  it.each(KINDS)('are read: %s', async (_kind, chunks) => {
    const reply = await new Promise<NativeCompletion>((resolve) => {
      const own = addon.openSink(([completion]) => {
        if (completion !== undefined) resolve(completion);
        own.close();
      });
      expect(own.submitHttp(1, 'identity_fp32', '', chunks as Uint8Array[], -1, 0)).toBeNull();
    });
    expect(reply.status).toBe(0);
    expect(JSON.parse(String(reply.head))).toMatchObject({ outputs: [{ data: [1, 2] }] });
  });

  it('that are empty or detached are no JSON', () => {
    for (const chunks of [[], [new Uint8Array(0)], [detached()]]) expect(withChunks(chunks)).toMatchObject({ status: 100 });
  });

  it('under a token that is in use are refused', () => {
    expect(withChunks([body])).toBeNull();
    expect(withChunks([body])).toMatchObject({ status: 501, message: 'token 1 is in use' });
  });

  it('for a release of odd names change nothing', () => {
    expect(() => loose['release']?.([NaN, -1, 1e300, Infinity, 0.5, 'x', {}, null, undefined])).not.toThrow();
  });
});

describe('ready documents and counters of what is not ready', () => {
  it('give the codes of a look-up', () => {
    expect(() => addon.statistics('unheard of', '')).toThrow(expect.objectContaining({ status: 300 }));
    expect(() => addon.describe('metadata', 'identity_fp32', '9')).toThrow(expect.objectContaining({ status: 300 }));
    addon.publishCatalog([{ ...catalogModel('identity_fp32', null), defaultVersion: 0 }]);
    expect(() => addon.statistics('identity_fp32', '1')).toThrow(expect.objectContaining({ status: 301 }));
    expect(() => addon.statistics('identity_fp32', '')).toThrow(expect.objectContaining({ status: 300 }));
    expect(addon.statistics('', '')).toEqual([]);
  });
});
