/** Models that take floats, served to clients that send bytes or halves. */
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { buildFakeGpu, FakeGpuScript, startOnFakeGpu } from '../support/fake-gpu.js';
import { halfToNumber } from '../support/json-data.js';
import { logLines } from '../support/log-lines.js';
import { DIGITS_2, IDENTITY, modelFolder, type FileContent } from '../support/model-folder.js';
import { FORMS, ProtocolClients, type Form } from '../support/protocols.js';
import { ServerProcess, type StartOptions } from '../support/server-process.js';
import { fp32, type TestTensor } from '../support/tensors.js';

const SCALE = [0.0171, -0.3, 1 / 3].map(Math.fround);
const OFFSET = [-2.11, 0.1, 2.5].map(Math.fround);
/** Of the lines of a picture. */
const LINE_SCALE = Array.from({ length: 8 }, (_, line) => Math.fround(0.05 + line / 100));
/** Three channels of two elements. */
const ROW = 3 * 2;

interface Conversion {
  readonly bytes: number;
  readonly number: (raw: Buffer, index: number) => number;
}

const TYPES: Readonly<Record<string, Conversion>> = {
  UINT8: { bytes: 1, number: (raw, i) => raw.readUInt8(i) },
  FP16: { bytes: 2, number: (raw, i) => halfToNumber(raw.readUInt16LE(i * 2)) },
};
const formsOf = (type: string): readonly Form[] => FORMS.filter((form) => type === 'UINT8' || form !== 'gRPC contents');

/** Elements that have a scale and an offset each, in pairs; and pictures whose lines have a scale each. */
function models(type: string): Record<string, FileContent> {
  const conversion = (input: string, value: object): string =>
    `parameters { key: "input_conversion.${input}" value { string_value: '${JSON.stringify({ from: `TYPE_${type}`, ...value })}' } }`;
  return {
    [`same_${type}/1/model.onnx`]: IDENTITY,
    [`same_${type}/config.pbtxt`]: `max_batch_size: 8 dynamic_batching { }
      input { name: "INPUT0" data_type: TYPE_${type} dims: [ ${ROW} ] } output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ ${ROW} ] }
      ${conversion('INPUT0', { scale: SCALE.flatMap((s) => [s, s]), offset: OFFSET.flatMap((o) => [o, o]), axis: 0 })}`,
    [`digits_${type}/1/model.onnx`]: DIGITS_2,
    [`digits_${type}/config.pbtxt`]: conversion('image', { scale: LINE_SCALE, offset: -0.25, axis: 1 }),
  };
}

function onFakeGpu(options: StartOptions): Promise<ServerProcess> {
  const script = new FakeGpuScript(['gpus 1']);
  onTestFinished(() => script.remove());
  return startOnFakeGpu(script, options);
}

async function serve(
  start: (options: StartOptions) => Promise<ServerProcess>,
  files: Readonly<Record<string, FileContent>>,
): Promise<{ readonly server: ServerProcess; readonly clients: ProtocolClients }> {
  const server = await start({ repositories: [modelFolder(files)] });
  onTestFinished(() => server.stop().then(() => {}));
  const clients = new ProtocolClients(server);
  onTestFinished(() => clients.close());
  return { server, clients };
}

beforeAll(buildFakeGpu, 600_000);

/** Every byte, or halves of all sizes but no NaN. */
function tensorOf(name: string, type: string, shape: readonly number[]): TestTensor {
  const count = shape.reduce((product, dim) => product * dim, 1);
  const values = Array.from({ length: count }, (_, i) => (type === 'UINT8' ? (i * 37) % 256 : ((i * 997) % 0x4c00) | ((i % 2) << 15)));
  const raw = Buffer.from(type === 'UINT8' ? Uint8Array.from(values).buffer : Uint16Array.from(values).buffer);
  return { name, datatype: type, shape, raw };
}

/** Products and sums of so few digits are exact in a double, so that only the last step rounds: a fused multiply-add. */
function converted(tensor: TestTensor, channelOf: (index: number) => readonly [scale: number, offset: number]): TestTensor {
  const { bytes, number } = TYPES[tensor.datatype] as Conversion;
  const floats = Array.from({ length: tensor.raw.length / bytes }, (_, i) => {
    const [scale, offset] = channelOf(i);
    return number(tensor.raw, i) * scale + offset;
  });
  return fp32(tensor.name, tensor.shape, floats);
}

describe.each([
  ['the CPU', (options: StartOptions) => ServerProcess.start(options)],
  ['a GPU', onFakeGpu],
] as const)('on %s', (place, start) => {
  it.each(Object.keys(TYPES))('a model sees value * scale + offset of what clients send as %s, bit for bit', async (type) => {
    const { clients, server } = await serve(start, { ...models(type), 'digits/1/model.onnx': DIGITS_2 });
    expect(logLines(server).find(({ msg }) => msg.startsWith(`loaded digits_${type}`))).toMatchObject({
      // Different rows of made-up bytes were run together and apart.
      batching: true,
      gpus: place === 'a GPU' ? [expect.any(String)] : [],
    });
    for (const form of formsOf(type)) {
      for (const rows of [1, 3, 8]) {
        const input = tensorOf('INPUT0', type, [rows, ROW]);
        const expected = converted(input, (i) => [SCALE[Math.floor((i % ROW) / 2)] ?? 0, OFFSET[Math.floor((i % ROW) / 2)] ?? 0]);
        const { outputs } = await clients.infer(form, { model: `same_${type}`, inputs: [input] });
        expect(outputs).toEqual([{ ...expected, name: 'OUTPUT0' }]);

        const image = tensorOf('image', type, [rows, 1, 8, 8]);
        const floats = converted(image, (i) => [LINE_SCALE[Math.floor((i % 64) / 8)] ?? 0, -0.25]);
        const answer = await clients.infer(form, { model: `digits_${type}`, inputs: [image] });
        expect(answer.outputs).toEqual((await clients.infer('HTTP binary', { model: 'digits', inputs: [floats] })).outputs);
      }
    }
  });
});

it('the canary of a model on a GPU sends what clients send', async () => {
  const start = (options: StartOptions): Promise<ServerProcess> => onFakeGpu({ ...options, flags: ['--gpu-probe-interval-secs', '1'] });
  const { server } = await serve(start, models('UINT8'));
  await vi.waitFor(
    async () => {
      const ready = await fetch(`${server.httpUrl}/ready`);
      expect(ready.status).toBe(200);
      expect(await ready.text()).toMatch(/canary ([2-9]|\d\d+) runs 0 mismatches/);
    },
    { timeout: 15_000, interval: 200 },
  );
});

it('metadata and configuration show what clients send, and nothing else is taken', async () => {
  const { clients, server } = await serve((options) => ServerProcess.start(options), models('FP16'));
  const json = async (path: string): Promise<unknown> => (await fetch(`${server.httpUrl}/v2/models/${path}`)).json();
  expect(await json('digits_FP16')).toMatchObject({ inputs: [{ name: 'image', datatype: 'FP16', shape: [-1, 1, 8, 8] }] });
  const value = { from: 'TYPE_FP16', scale: LINE_SCALE, offset: [-0.25], axis: 1 };
  expect(await json('digits_FP16/config')).toMatchObject({
    input: [{ name: 'image', data_type: 'TYPE_FP16', dims: [1, 8, 8] }],
    parameters: { 'input_conversion.image': { string_value: JSON.stringify(value) } },
  });
  const floats = fp32('image', [1, 1, 8, 8], new Float32Array(64));
  const refusal = await clients.refusal('HTTP binary', { model: 'digits_FP16', inputs: [floats] });
  expect(refusal).toMatchObject({ status: 400, text: expect.stringMatching(/FP32.*FP16|FP16.*FP32/) as string });
});

it('a conversion that does not fit refuses its model and says why, and the others are served', async () => {
  const text = '{"from":"TYPE_UINT8","scale":[1,2,3],"axis":1}';
  const files = {
    'wrong/1/model.onnx': DIGITS_2,
    'wrong/config.pbtxt': `parameters { key: "input_conversion.image" value { string_value: '${text}' } }`,
    'digits/1/model.onnx': DIGITS_2,
  };
  const { server } = await serve((options) => ServerProcess.start(options), files);
  expect(logLines(server).find(({ msg }) => msg.startsWith('wrong version 1 failed'))).toMatchObject({
    code: 'ERR_MODEL_CONFIG',
    msg: expect.stringContaining('.axis: found 1, which is 8 in dims [1, 8, 8], expected a dimension of 3') as string,
  });
  expect((await fetch(`${server.httpUrl}/v2/models/digits/ready`)).status).toBe(200);
});
